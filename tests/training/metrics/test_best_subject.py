"""A video is judged by its most active subject."""

from __future__ import annotations

import numpy as np
import pytest

from training.metrics.best_subject import judge_by_best_subject, most_active_subject, of_subject

FIGHT, HUG, NOTHING = 0, 1, 2


def judged(*rows: tuple[float, ...]) -> list[float]:
    scores = judge_by_best_subject(np.array(rows, np.float32), [len(rows[0]) - 1])
    return [round(float(value), 4) for value in scores]


def test_onlookers_do_not_outvote_the_one_who_acts() -> None:
    assert judged((0.1, 0.9), (0.7, 0.3), (0.0, 1.0)) == [0.7, 0.3]  # on average: 0.27


def test_one_subject_keeps_its_own_scores() -> None:
    assert judged((0.5, 0.2, 0.3)) == [0.5, 0.2, 0.3]


def test_the_background_wins_exactly_where_it_wins_in_every_subject() -> None:
    rng = np.random.default_rng(0)
    for _ in range(300):
        rows = rng.dirichlet([0.6] * 4, size=3).astype(np.float32)
        scores = judge_by_best_subject(rows, [3])
        assert (scores.argmax() == 3) == bool((rows.argmax(axis=1) == 3).all())
        assert scores[:3] == pytest.approx(rows[:, :3].max(axis=0))
        assert 0 <= scores[3] <= 1


def test_a_diffuse_subject_does_not_turn_two_times_nothing_into_an_action() -> None:
    rows = [(0.4, 0.1, 0.5), (0.2, 0.1, 0.3)]  # the minimum of the last column alone would be 0.3
    assert int(np.argmax(judged(*rows))) == NOTHING


def test_without_a_background_the_maximum_of_every_label_counts() -> None:
    rows = np.array([(0.6, 0.4), (0.1, 0.9)], np.float32)
    assert judge_by_best_subject(rows, []) == pytest.approx([0.6, 0.9])


def test_several_background_labels_keep_their_proportions() -> None:
    rows = np.array([(0.2, 0.5, 0.25)], np.float32)
    assert judge_by_best_subject(rows, [1, 2]) == pytest.approx([0.2, 0.5, 0.25])


def test_the_subject_that_is_shown_is_the_one_that_decided() -> None:
    rows = np.array([(0.1, 0.0, 0.9), (0.7, 0.1, 0.2), (0.0, 0.6, 0.4)], np.float32)
    assert most_active_subject(rows, [NOTHING]) == 1
    quiet = np.array([(0.1, 0.0, 0.9), (0.3, 0.1, 0.6)], np.float32)
    assert most_active_subject(quiet, [NOTHING]) == 1
    assert most_active_subject(quiet[:1], [0, 1, 2]) == 0


LABELS_OF_BOTH = ("walk", "fight", "nothing")


def test_what_a_subject_cannot_do_counts_as_background() -> None:
    scores = np.array([[0.2, 0.7, 0.1]], np.float32)
    person = of_subject(scores, "person", LABELS_OF_BOTH, ("fight",), [2])
    group = of_subject(scores, "group", LABELS_OF_BOTH, ("fight",), [2])
    assert person == pytest.approx(np.array([[0.2, 0.0, 0.8]], np.float32))
    assert group == pytest.approx(np.array([[0.0, 0.7, 0.3]], np.float32))
    assert (of_subject(scores, "group", LABELS_OF_BOTH, (), [2]) == scores).all()
    without = of_subject(scores, "person", LABELS_OF_BOTH, ("fight",), [])
    assert without == pytest.approx(np.array([[0.2, 0.0, 0.1]], np.float32))


def test_a_group_that_only_walks_is_no_fight_and_onlookers_are_none() -> None:
    walking = of_subject(
        np.array([[0.9, 0.06, 0.04]], np.float32), "group", LABELS_OF_BOTH, ("fight",), [2]
    )
    onlooker = of_subject(
        np.array([[0.1, 0.6, 0.3]], np.float32), "person", LABELS_OF_BOTH, ("fight",), [2]
    )
    judged = judge_by_best_subject(np.concatenate([walking, onlooker]), [2])
    assert judged.argmax() == 2
