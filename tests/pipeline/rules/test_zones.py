"""Who is in a zone: the anchor, the border, inertia, missing people and ended tracks."""

from __future__ import annotations

import numpy as np
import pytest

from models.boxes import FloatArray
from pipeline.rules.anchors import Anchor
from pipeline.rules.zones import Zone, ZoneTracker
from pipeline.types import ZoneState

WH = (200, 100)
LEFT_HALF = np.array([(0, 0), (0.5, 0), (0.5, 1), (0, 1)], np.float64)


def zone(name: str = "left", *, anchor: Anchor = "foot", inertia_s: float = 0.0) -> Zone:
    return Zone(name, LEFT_HALF, anchor, inertia_s)


def foot_at(x: float, y: float = 50.0) -> FloatArray:
    return np.array([x - 5, y - 40, x + 5, y], np.float32)


def test_a_person_whose_foot_is_inside_enters_and_later_leaves() -> None:
    tracker = ZoneTracker([zone()])
    assert tracker.update(0.0, {7: foot_at(50)}, WH) == (ZoneState("left", (7,), (7,), ()),)
    assert tracker.update(0.1, {7: foot_at(60)}, WH) == (ZoneState("left", (7,), (), ()),)
    assert tracker.update(0.2, {7: foot_at(150)}, WH) == (ZoneState("left", (), (), (7,)),)
    assert tracker.update(0.3, {7: foot_at(150)}, WH) == (ZoneState("left", (), (), ()),)


def test_the_centre_counts_where_it_is_chosen() -> None:
    lower = np.array([(0, 0.7), (1, 0.7), (1, 1), (0, 1)])
    zones = [Zone("foot", lower, "foot", 0), Zone("centre", lower, "centre", 0)]
    states = ZoneTracker(zones).update(0.0, {1: foot_at(50, 80)}, WH)
    assert [state.inside for state in states] == [(1,), ()]


def test_feet_cut_off_by_the_edge_of_the_image_are_in_a_zone_that_reaches_to_it() -> None:
    (state,) = ZoneTracker([zone()]).update(0.0, {1: foot_at(50, 100)}, WH)
    assert state.inside == (1,)


def test_a_zone_stays_where_it_is_when_the_resolution_changes() -> None:
    tracker = ZoneTracker([zone()])
    tracker.update(0.0, {1: foot_at(90)}, WH)
    (state,) = tracker.update(0.1, {1: foot_at(180, 100)}, (400, 200))
    assert state == ZoneState("left", (1,), (), ())


def test_inertia_holds_a_state_against_flicker_at_the_border() -> None:
    tracker = ZoneTracker([zone(inertia_s=0.5)])
    places = [101, 99, 101, 99, 99, 99, 99, 99, 99, 101, 99, 101, 101, 101, 101, 101, 101]
    states = [
        tracker.update(number / 10, {1: foot_at(x)}, WH)[0] for number, x in enumerate(places)
    ]
    assert [number for number, state in enumerate(states) if state.entered] == [8]
    assert [number for number, state in enumerate(states) if state.left] == [16]
    assert all(state.inside == (1,) for state in states[8:16])


def test_a_missing_person_keeps_the_state_until_the_track_ends() -> None:
    tracker = ZoneTracker([zone(inertia_s=0.2)])
    tracker.update(0.0, {1: foot_at(50)}, WH)
    assert tracker.update(0.2, {1: foot_at(50)}, WH)[0].entered == (1,)
    assert tracker.update(5.0, {}, WH)[0] == ZoneState("left", (1,), (), ())
    assert tracker.update(6.0, {}, WH, ended=[1])[0] == ZoneState("left", (), (), (1,))


def test_a_new_person_does_not_inherit_the_state_of_an_ended_track() -> None:
    tracker = ZoneTracker([zone(inertia_s=0.5)])
    tracker.update(0.0, {1: foot_at(50)}, WH)
    tracker.update(1.0, {1: foot_at(50)}, WH)
    tracker.update(1.1, {}, WH, ended=[1])
    assert tracker.update(1.2, {2: foot_at(50)}, WH)[0].inside == ()
    assert tracker.update(1.7, {2: foot_at(50)}, WH)[0].entered == (2,)


def test_people_of_one_frame_are_reported_in_order_of_their_ids() -> None:
    tracker = ZoneTracker([zone()])
    people = {track_id: foot_at(50) for track_id in (9, 2, 30)}
    assert tracker.update(0.0, people, WH)[0].entered == (2, 9, 30)
    assert tracker.update(0.1, {}, WH, ended=[30, 2])[0] == ZoneState("left", (9,), (), (2, 30))


def test_everyone_is_forgotten_after_the_end_of_a_stream() -> None:
    tracker = ZoneTracker([zone()])
    tracker.update(0.0, {1: foot_at(50)}, WH)
    tracker.clear()
    assert tracker.update(0.0, {}, WH)[0] == ZoneState("left", (), (), ())


def test_a_camera_without_zones_has_no_states() -> None:
    assert ZoneTracker([]).update(0.0, {1: foot_at(50)}, WH, ended=[2]) == ()


@pytest.mark.parametrize("seed", range(3))
def test_many_people_and_zones_agree_with_a_count_of_crossed_sides(seed: int) -> None:
    rng = np.random.default_rng(seed)
    zones = []
    for number in range(20):
        corners = int(rng.integers(3, 12))
        angles = np.sort(rng.uniform(0, 2 * np.pi, corners))
        radii = rng.uniform(0.05, 0.3, corners)
        middle = rng.uniform(0.3, 0.7, 2)
        around = np.stack([np.cos(angles), np.sin(angles)], axis=1) * radii[:, None]
        zones.append(Zone(f"z{number}", middle + around, "foot", 0.0))
    tracker = ZoneTracker(zones)
    for frame in range(5):
        feet = {track_id: rng.uniform(0, 1, 2) for track_id in rng.permutation(30).tolist()}
        boxes = {one: foot_at(x * 200, y * 100) for one, (x, y) in feet.items()}
        states = tracker.update(frame / 10, boxes, WH)
        for one, state in zip(zones, states, strict=True):
            expected = [name for name, foot in feet.items() if _is_inside(one.points, foot)]
            assert state.inside == tuple(sorted(expected))


def _is_inside(points: np.ndarray, foot: np.ndarray) -> bool:
    """Even-odd rule: a ray to the right crosses an odd number of sides."""
    crossed = False
    for (ax, ay), (bx, by) in zip(points, np.roll(points, -1, axis=0), strict=True):
        if (ay > foot[1]) != (by > foot[1]):
            crossed ^= foot[0] < (bx - ax) * (foot[1] - ay) / (by - ay) + ax
    return bool(crossed)
