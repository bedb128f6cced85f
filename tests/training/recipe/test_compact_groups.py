"""Choosing the groups of a video to train on."""

from __future__ import annotations

import numpy as np
import pytest

from tests.training.factories import path_of
from training.recipe.compact_groups import groups_of

TIMES = np.arange(40) / 10  # seconds
PAIR = [path_of(0.0), path_of(0.0, start_x=45.0)]


def test_people_who_are_close_do_what_the_video_shows() -> None:
    [group] = groups_of(PAIR, TIMES, "fight")
    assert (group.label, len(group.members)) == ("fight", 2)
    assert (group.start_s, group.end_s) == pytest.approx((0.4, 3.9))


def test_of_an_interaction_its_middle_is_trained_on() -> None:
    [group] = groups_of(PAIR, TIMES, "hug")
    assert (group.start_s, group.end_s) == pytest.approx((0.4, 3.73), abs=0.01)


@pytest.mark.parametrize("label", ["", "walk", "nothing"])
def test_groups_of_everyday_video_do_nothing(label: str) -> None:
    assert [group.label for group in groups_of(PAIR, TIMES, label)] == ["nothing"]


def test_who_is_alone_is_no_group() -> None:
    assert not groups_of([path_of(0.0), path_of(0.0, start_x=900.0)], TIMES, "fight")


def test_a_short_time_together_is_widened_to_a_clip() -> None:
    short = [path_of(0.0, count=8), path_of(0.0, count=8, start_x=45.0)]
    [group] = groups_of(short, TIMES, "fight")
    assert group.end_s - group.start_s >= 0.5
