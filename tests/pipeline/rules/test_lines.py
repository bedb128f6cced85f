"""Who crosses a line: direction, the ends of the line, swaying, and people who vanish behind it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from models.boxes import FloatArray
from pipeline.rules.lines import Line, LineTracker
from pipeline.types import LineCrossing

WH = (200, 100)
UPWARDS = Line("door", (0.5, 1.0), (0.5, 0.5))  # right hand: the right half of the image
RIGHT, LEFT = "left_to_right", "right_to_left"


def foot_at(x: float, y: float = 80.0) -> FloatArray:
    return np.array([x - 5, y - 40, x + 5, y], np.float32)  # 40 pixels high: 6 of hysteresis


def walk(
    tracker: LineTracker, *places: float | tuple[float, float], track_id: int = 1
) -> list[tuple[LineCrossing, ...]]:
    points = [place if isinstance(place, tuple) else (place, 80.0) for place in places]
    return [tracker.update({track_id: foot_at(*point)}, WH) for point in points]


def directions(found: list[tuple[LineCrossing, ...]]) -> list[str]:
    return [one.direction for frame in found for one in frame]


def test_a_line_drawn_upwards_is_crossed_from_left_to_right_in_the_image() -> None:
    found = walk(LineTracker([UPWARDS]), 80, 95, 105, 120)
    assert found == [(), (), (), (LineCrossing("door", 1, RIGHT),)]
    assert directions(walk(LineTracker([UPWARDS]), 120, 80)) == [LEFT]


def test_a_line_drawn_from_left_to_right_is_crossed_downwards() -> None:
    line = Line("kerb", (0.0, 0.5), (1.0, 0.5))
    assert directions(walk(LineTracker([line]), (100, 30), (100, 70))) == [RIGHT]
    assert directions(walk(LineTracker([line]), (100, 70), (100, 30))) == [LEFT]


def test_the_direction_changes_with_the_order_of_the_ends() -> None:
    line = Line("door", UPWARDS.end, UPWARDS.start)
    assert directions(walk(LineTracker([line]), 80, 120)) == [LEFT]


def test_who_sways_on_the_line_crosses_it_once() -> None:
    tracker = LineTracker([UPWARDS])
    swaying = [80, 98, 102, 98, 102, 99, 101, 97, 103, 98, 102]
    assert directions(walk(tracker, *swaying)) == []
    assert directions(walk(tracker, 115, 103, 98, 103, 98, 103, 115)) == [RIGHT]


def test_who_turns_back_on_the_line_has_not_crossed_it() -> None:
    assert directions(walk(LineTracker([UPWARDS]), 80, 103, 80, 60)) == []


def test_every_crossing_of_one_person_counts() -> None:
    assert directions(walk(LineTracker([UPWARDS]), 80, 120, 80, 120)) == [RIGHT, LEFT, RIGHT]


def test_to_go_around_an_end_is_not_to_cross() -> None:
    around = [(80, 80), (80, 40), (120, 40), (120, 80)]
    assert directions(walk(LineTracker([UPWARDS]), *around)) == []


def test_to_cross_and_come_back_around_the_end_is_to_cross_once() -> None:
    way = [(80, 80), (120, 80), (120, 40), (80, 40), (80, 80)]
    assert directions(walk(LineTracker([UPWARDS]), *way)) == [RIGHT]


def test_a_step_onto_the_line_itself_is_on_neither_side() -> None:
    tracker = LineTracker([UPWARDS])
    assert directions(walk(tracker, 80, 100, 100, 120)) == [RIGHT]
    assert directions(walk(tracker, 100, 120)) == []


def test_who_first_appears_on_the_line_crosses_nothing() -> None:
    assert directions(walk(LineTracker([UPWARDS]), 100, 120)) == []


def test_who_vanishes_just_behind_the_line_has_crossed_it() -> None:
    tracker = LineTracker([UPWARDS])
    assert directions(walk(tracker, 80, 103)) == []
    assert tracker.update({}, WH, ended=[1]) == (LineCrossing("door", 1, RIGHT),)


def test_who_vanishes_before_the_line_has_not_crossed_it() -> None:
    tracker = LineTracker([UPWARDS])
    walk(tracker, 80, 103, 97)
    assert tracker.update({}, WH, ended=[1]) == ()


def test_an_ended_track_leaves_nothing_to_the_next_one() -> None:
    tracker = LineTracker([UPWARDS])
    walk(tracker, 80)
    tracker.update({}, WH, ended=[1])
    assert directions(walk(tracker, 120, track_id=2)) == []


def test_a_person_who_is_missing_while_crossing_is_counted() -> None:
    tracker = LineTracker([UPWARDS])
    walk(tracker, 80)
    assert tracker.update({}, WH) == ()
    assert directions(walk(tracker, 130)) == [RIGHT]


def test_the_distance_is_in_heights_of_the_person() -> None:
    near = np.array([60, 0, 100, 80], np.float32)  # 80 high: 12 pixels of hysteresis
    tracker = LineTracker([UPWARDS])
    tracker.update({1: near}, WH)
    assert tracker.update({1: near + np.array([30, 0, 30, 0], np.float32)}, WH) == ()
    (found,) = tracker.update({1: near + np.array([34, 0, 34, 0], np.float32)}, WH)
    assert found.direction == RIGHT


def test_crossings_of_one_frame_are_in_order_of_lines_and_people() -> None:
    lines = [Line("b", (0.5, 1.0), (0.5, 0.5)), Line("a", (0.55, 1.0), (0.55, 0.5))]
    tracker = LineTracker(lines)
    tracker.update({5: foot_at(60), 3: foot_at(150)}, WH)
    found = tracker.update({5: foot_at(150), 3: foot_at(60)}, WH)
    assert [(one.line, one.track_id) for one in found] == [("b", 3), ("b", 5), ("a", 3), ("a", 5)]


@pytest.mark.parametrize("seed", range(3))
def test_crossings_alternate_whatever_a_person_does_on_an_endless_line(seed: int) -> None:
    rng = np.random.default_rng(seed)
    line = Line("middle", (0.5, 1.0), (0.5, 0.0))
    places = 100 - 15 * np.cos(np.arange(300) / 20) + rng.normal(0, 3, 300)  # to and fro
    found = directions(walk(LineTracker([line]), *places.tolist()))
    assert found
    assert all(one != other for one, other in pairwise(found))
    sides = [place > 100 for place in places if abs(place - 100) >= 6.0]
    assert len(found) == int(np.count_nonzero(np.diff(np.array(sides))))


def test_a_camera_without_lines_has_no_crossings() -> None:
    assert LineTracker([]).update({1: foot_at(50)}, WH, ended=[1]) == ()
