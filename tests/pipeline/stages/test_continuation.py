"""Which pairs of lost people and new tracks are accepted; whole scenes: test_reattachment.py."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from models.boxes import FloatArray
from pipeline.stages.continuation import Awaited, Likeness, find_continuations
from pipeline.stages.last_seen import LastSeen
from pipeline.types import TrackedFrame, TrackedPerson
from tests.conftest import make_frame

LIKENESS = Likeness()
RED = np.array([1, 0, 0], np.float32)


def turned(degrees: float) -> FloatArray:
    """A feature so far away from red."""
    angle = math.radians(degrees)
    return np.array([math.cos(angle), math.sin(angle), 0], np.float32)


def person(
    x: float, *, feature: FloatArray | None = RED, height: float = 60.0, track_id: int = 9
) -> TrackedPerson:
    xyxy = np.array([x - 12, 120 - height / 2, x + 12, 120 + height / 2], np.float32)
    return TrackedPerson(track_id, xyxy, 0.9, feature=feature)


def awaited(
    x: float, *, feature: FloatArray | None = RED, life_s: float = 2.0, rival_cost: float = math.inf
) -> Awaited:
    """Someone who stood at x until second 2."""
    last = LastSeen()
    for n in range(round(life_s * 10) + 1):
        last.add(2.0 - life_s + n / 10, person(x, feature=feature))
    return Awaited(last, rival_cost)


def found(
    lost: list[Awaited],
    new: list[TrackedPerson],
    at_s: float = 2.5,
    visible: tuple[TrackedPerson, ...] = (),
) -> dict[int, int]:
    frame = replace(make_frame(0, at_s), image=np.zeros((240, 320, 3), np.uint8))
    item = TrackedFrame(frame, (*new, *visible), (), 0.0, 0.0)
    return find_continuations(lost, new, item, LIKENESS).lost_of_new


def test_the_same_place_size_and_appearance_are_the_same_person() -> None:
    assert found([awaited(100)], [person(100)]) == {0: 0}


@pytest.mark.parametrize(("at_s", "expected"), [(2.1, {}), (3.5, {0: 0})])
def test_the_longer_someone_was_hidden_the_further_they_may_be(
    at_s: float, expected: dict[int, int]
) -> None:
    assert found([awaited(100)], [person(148)], at_s) == expected


@pytest.mark.parametrize(
    ("unlike", "expected"),
    [
        ({"height": 80.0}, {0: 0}),
        ({"height": 150.0}, {}),
        ({"feature": turned(30)}, {0: 0}),
        ({"feature": turned(75)}, {}),
        ({"feature": None}, {0: 0}),
    ],
)
def test_size_and_appearance_may_differ_a_little(
    unlike: dict[str, Any], expected: dict[int, int]
) -> None:
    assert found([awaited(100)], [person(100, **unlike)]) == expected


def test_pairs_are_one_to_one_and_each_with_its_own() -> None:
    lost = [awaited(100), awaited(220, feature=turned(90))]
    new = [person(222, feature=turned(90)), person(101)]
    assert found(lost, new) == {0: 1, 1: 0}


def test_who_was_seen_for_a_moment_hands_nothing_over_but_still_competes() -> None:
    moment = awaited(100, life_s=0.2)
    assert found([moment], [person(100)]) == {}
    assert found([awaited(104), moment], [person(102)]) == {}


def test_a_track_that_may_have_been_the_person_before_competes_too() -> None:
    assert found([awaited(100, rival_cost=0.3)], [person(100)]) == {}
    assert found([awaited(100, rival_cost=0.9)], [person(100)]) == {0: 0}


def test_without_appearance_a_track_beside_another_person_is_taken_at_the_very_place_only() -> None:
    beside = person(120, track_id=2)
    for x, expected in ((102, {0: 0}), (118, {})):
        lost, new = [awaited(100, feature=None)], [person(x, feature=None)]
        assert found(lost, new, visible=(beside,)) == expected
        assert found(lost, new) == {0: 0}
