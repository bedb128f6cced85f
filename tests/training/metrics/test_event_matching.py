"""Which events are right: in time, and at the right person."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.training.made_events import found, path_at, true
from training.crops.person_tracks import PersonPath
from training.metrics.event_matching import is_same_person, match_events, temporal_iou


def test_temporal_iou_is_common_time_over_all_time() -> None:
    truths = [true(0, 10), true(20, 30)]
    events = [found(5, 15), found(0, 10), found(40, 50), found(7, 7)]
    expected = [[5 / 15, 1, 0, 0], [0, 0, 0, 0]]
    assert temporal_iou(truths, events) == pytest.approx(np.array(expected))


def test_each_truth_and_each_event_is_used_once() -> None:
    matching = match_events([true(0, 10, path=path_at(0))], [found(0, 9), found(0, 10)], 0.5)
    assert matching.pairs == ((0, 1),)  # the one that overlaps better
    assert matching.wrong == (0,)
    assert matching.false_alarms == ()  # it was a fight all the same


def test_as_many_pairs_as_possible_even_if_a_single_one_overlaps_better() -> None:
    #  truth 0 |---------|             event 0 fits both truths, truth 0 better;
    #  truth 1     |---------|         event 1 fits truth 0 alone
    truths = [true(0, 10), true(4, 14)]
    events = [found(1, 11), found(-2, 8)]
    assert match_events(truths, events, 0.5).pairs == ((0, 1), (1, 0))


def test_an_event_that_is_too_short_is_wrong_but_no_false_alarm() -> None:
    matching = match_events([true(0, 10)], [found(0, 2)], 0.5)
    assert (matching.pairs, matching.wrong, matching.false_alarms) == ((), (0,), ())
    assert match_events([true(0, 10)], [found(0, 2)], 0.1).pairs == ((0, 0),)


def test_an_event_that_never_ends_is_a_false_alarm() -> None:
    matching = match_events([true(0, 10)], [found(0, 100)], 0.5)
    assert matching.false_alarms == (0,)


def test_two_true_intervals_make_an_event_true_that_covers_both() -> None:
    matching = match_events([true(0, 4), true(5, 9), true(3, 5)], [found(0, 20)], 0.5)
    assert matching.false_alarms == (0,)  # 9 of 20 seconds
    matching = match_events([true(0, 4), true(5, 9), true(3, 5)], [found(0, 18)], 0.5)
    assert (matching.wrong, matching.false_alarms) == ((0,), ())


def test_further_people_of_a_scene_are_neither_right_nor_wrong() -> None:
    matching = match_events([true(0, 10)], [found(0, 10, x=0), found(0, 9, x=200)], 0.5)
    assert matching.pairs == ((0, 0),)
    assert matching.repeated == (1,)
    assert matching.wrong == ()


def test_the_delay_in_a_scene_is_that_of_the_person_reported_first() -> None:
    events = [found(0, 10, decided_s=3.0), found(0, 9, decided_s=2.0)]
    assert match_events([true(0.5, 10)], events, 0.5).delays_s == (1.5,)
    of_person = match_events([true(0.5, 10, path=path_at(0))], events, 0.5)
    assert of_person.delays_s == (2.5,)


def test_a_truth_with_a_box_is_of_the_person_who_is_there() -> None:
    truth = true(0, 10, path=path_at(200))
    matching = match_events([truth], [found(0, 10, x=0), found(0, 10, x=195)], 0.5)
    assert matching.pairs == ((0, 1),)
    assert matching.false_alarms == (0,)


def test_a_person_is_compared_with_the_box_of_the_same_timestamp() -> None:
    # A person who walks from x = 0 to x = 100 in ten seconds.
    times = np.arange(0, 11.0)
    left = np.arange(0, 110.0, 10)
    boxes = np.stack([left, 0 * left + 10, left + 20, 0 * left + 50], axis=1)
    walker = PersonPath(times, boxes.astype(np.float32))
    assert is_same_person(true(8, 10, path=walker), found(8, 10, x=90))
    assert not is_same_person(true(0, 2, path=walker), found(0, 2, x=90))
    assert walker.at(np.array([3.4, -5.0, 99.0]))[:, 0].tolist() == [30, 0, 100]


def test_nothing_true_and_nothing_found_match() -> None:
    empty = match_events([], [], 0.5)
    assert empty == match_events([], [], 0.1)
    assert match_events([], [found(1, 2)], 0.5).false_alarms == (0,)
    assert match_events([true(1, 2)], [], 0.5).pairs == ()


def test_an_event_of_a_group_is_where_its_members_are() -> None:
    group = replace(found(0, 10, x=0), members=(path_at(40), path_at(90)))
    assert is_same_person(true(0, 10, path=path_at(90)), group)
    assert is_same_person(true(0, 10, path=path_at(40)), group)
    assert not is_same_person(true(0, 10, path=path_at(0)), group)  # between them
