"""Who is a group, for how long, and under which id: by time, not by frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest

from models.boxes import FloatArray
from pipeline.stages.clip_sampling import crop_person
from pipeline.stages.groups import (
    GroupSpec,
    GroupTracker,
    group_people,
    group_window,
    hull,
    together,
)
from pipeline.types import StreamEnd, TrackedFrame, TrackedPerson
from tests.conftest import make_frame, make_tracked

SPEC = GroupSpec(together_s=0.4, apart_s=1.0, reach=1.0, max_groups=3, max_members=4)
FPS = 10.0
Places = Mapping[int, float]  # left edge of a person who is 20 wide and 60 high, by track id


def boxes(places: Places) -> dict[int, FloatArray]:
    return {one: np.array([x, 100, x + 20, 160], np.float32) for one, x in places.items()}


class Camera:
    """Feeds a tracker, and keeps what it reported last."""

    def __init__(self, spec: GroupSpec = SPEC) -> None:
        self.tracker = GroupTracker(spec)
        self.pts_s = 0.0
        self.ended: list[int] = []
        self.groups: dict[int, tuple[int, ...]] = {}

    def show(
        self, places: Places, seconds: float, *, ended: Sequence[int] = (), fps: float = FPS
    ) -> dict[int, tuple[int, ...]]:
        for n in range(round(seconds * fps)):
            groups, gone = self.tracker.update(self.pts_s, boxes(places), ended if n == 0 else ())
            self.pts_s += 1 / fps
            self.ended += gone
            self.groups = {group.group_id: group.members for group in groups}
        return self.groups


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((0, 0, 20, 60), (10, 0, 30, 60), True),  # they overlap
        ((0, 0, 20, 60), (75, 0, 95, 60), False),  # further than a body's length
        ((0, 0, 20, 60), (55, 0, 75, 60), True),  # within it
        ((0, 0, 20, 60), (30, 45, 90, 62), True),  # one lies on the ground: 60 long
        ((0, 0, 20, 60), (15, 50, 20, 62), False),  # a small figure far behind a large one
        ((0, 0, 20, 60), (20, 200, 40, 260), False),  # below each other
    ],
)
def test_people_are_together_who_overlap_or_stand_within_a_bodys_length(
    first: tuple[float, ...], second: tuple[float, ...], *, expected: bool
) -> None:
    result = together(np.array([first, second], np.float32), reach=1.0)
    assert result.tolist() == [[False, expected], [expected, False]]


def test_nobody_and_one_person_are_together_with_nobody() -> None:
    assert together(np.zeros((0, 4), np.float32), 1.0).shape == (0, 0)
    assert together(np.array([[0, 0, 20, 60]], np.float32), 1.0).tolist() == [[False]]


@pytest.mark.parametrize("fps", [4.0, 10.0, 60.0])
def test_a_group_forms_after_a_while_and_dissolves_after_a_while(fps: float) -> None:
    camera = Camera()
    assert camera.show({1: 0, 2: 30}, 0.3, fps=fps) == {}
    assert camera.show({1: 0, 2: 30}, 0.6, fps=fps) == {1: (1, 2)}
    assert camera.show({1: 0, 2: 200}, 0.5, fps=fps) == {1: (1, 2)}
    assert camera.show({1: 0, 2: 200}, 1.0, fps=fps) == {}
    assert camera.ended == [1]


def test_people_who_pass_each_other_are_no_group() -> None:
    camera = Camera()
    camera.show({1: 0, 2: 30}, 0.3)
    camera.show({1: 0, 2: 200}, 0.2)
    assert camera.show({1: 0, 2: 30}, 0.3) == {}


def test_a_member_who_is_missing_for_a_few_frames_stays_with_the_last_box() -> None:
    camera = Camera()
    camera.show({1: 0, 2: 30}, 1.0)
    assert camera.show({1: 0}, 0.5) == {1: (1, 2)}
    groups, _ = camera.tracker.update(camera.pts_s, {}, ())
    assert groups[0].xyxy.tolist() == [0, 100, 50, 160]
    assert camera.show({1: 0}, 1.0) == {}


def test_people_who_flicker_still_form_a_group() -> None:
    camera = Camera()
    for _ in range(4):
        camera.show({1: 0, 2: 30}, 0.1)
        camera.show({1: 0}, 0.1)
    assert camera.show({1: 0, 2: 30}, 0.1) == {1: (1, 2)}


def test_a_long_gap_between_frames_forms_no_group() -> None:
    camera = Camera()
    camera.show({1: 0, 2: 30}, 0.1)
    camera.pts_s += 5.0
    assert camera.show({1: 0, 2: 30}, 0.2) == {}


def test_an_ended_track_leaves_immediately() -> None:
    camera = Camera()
    camera.show({1: 0, 2: 30, 3: 60}, 1.0)
    assert camera.show({1: 0, 2: 30}, 0.1, ended=[3]) == {1: (1, 2)}
    assert camera.show({1: 0}, 0.1, ended=[2]) == {}
    assert camera.ended == [1]


def test_the_id_survives_people_who_join_and_leave() -> None:
    camera = Camera()
    camera.show({1: 0, 2: 30}, 1.0)
    assert camera.show({1: 0, 2: 30, 3: 60}, 1.0) == {1: (1, 2, 3)}
    assert camera.show({1: 300, 2: 30, 3: 60}, 2.0) == {1: (2, 3)}
    assert camera.ended == []


def test_the_larger_part_keeps_the_id_when_a_group_splits() -> None:
    camera = Camera(replace(SPEC, max_members=6))
    camera.show({1: 0, 2: 30, 3: 60, 4: 90, 5: 120}, 1.0)
    apart = {1: 0, 2: 30, 3: 300, 4: 330, 5: 360}
    assert camera.show(apart, 2.0) == {1: (3, 4, 5), 2: (1, 2)}


def test_of_equal_parts_that_with_the_lowest_track_id_keeps_the_id() -> None:
    camera = Camera()
    camera.show({1: 0, 2: 30, 3: 60, 4: 90}, 1.0)
    assert camera.show({1: 300, 2: 0, 3: 30, 4: 330}, 2.0) == {1: (1, 4), 2: (2, 3)}


def test_the_oldest_id_survives_when_groups_merge() -> None:
    camera = Camera()
    camera.show({3: 0, 4: 30}, 1.0)
    assert camera.show({3: 0, 4: 30, 1: 300, 2: 330}, 1.0) == {1: (3, 4), 2: (1, 2)}
    assert camera.show({3: 0, 4: 30, 1: 60, 2: 90}, 1.0) == {1: (1, 2, 3, 4)}
    assert camera.ended == [2]


def test_groups_and_their_members_are_bounded_and_those_who_came_first_stay() -> None:
    camera = Camera()
    pairs = {track: 200.0 * (track // 2) + 30 * (track % 2) for track in range(2, 8)}
    assert list(camera.show(pairs, 1.0)) == [1, 2, 3]
    with_a_fourth = pairs | {0: 2000.0, 1: 2030.0}
    assert list(camera.show(with_a_fourth, 1.0)) == [1, 2, 3]
    camera.show(with_a_fourth | {2: 3000.0}, 2.0)
    assert camera.groups[4] == (0, 1)  # there is room now
    crowd = Camera()
    crowd.show({5: 0, 6: 20, 7: 40, 8: 60}, 1.0)
    assert crowd.show({n: 20.0 * (n - 5) for n in range(1, 9)}, 1.0)[1] == (5, 6, 7, 8)


def test_what_is_remembered_is_bounded_by_who_is_together() -> None:
    camera = Camera()
    for track in range(1, 200, 2):
        camera.show({track: 0, track + 1: 30}, 0.5)
    camera.show({}, 2.0)
    assert not camera.tracker._boxes
    assert not camera.tracker._ties


@pytest.mark.parametrize(
    "change", [{"apart_s": -1}, {"reach": float("nan")}, {"max_groups": 0}, {"max_members": 1}]
)
def test_a_value_that_cannot_work_is_named(change: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(change))):
        replace(SPEC, **change)  # type: ignore[arg-type]


def test_the_window_is_the_square_around_all_boxes_as_a_persons_crop() -> None:
    people = np.array([[10, 20, 30, 80], [40, 40, 70, 60]], np.float32)
    assert hull(people).tolist() == [10, 20, 70, 80]
    window = group_window(people, margin=0.25)
    assert window.tolist() == [-5, 5, 85, 95]
    image = np.random.default_rng(0).integers(0, 255, (100, 120, 3), np.uint8)
    as_group = crop_person(image, window, size=32, margin=0.0)
    as_person = crop_person(image, hull(people), size=32, margin=0.25)
    assert (as_group == as_person).all()


def frame_with(places: Places, index: int, camera_id: str) -> TrackedFrame:
    item = make_tracked(make_frame(index, index / FPS, camera_id=camera_id), track_ids=())
    people = tuple(TrackedPerson(one, box, 0.9) for one, box in boxes(places).items())
    return replace(item, people=people)


def test_cameras_are_apart_and_ids_continue_after_a_reconnect() -> None:
    pair: Places = {1: 0, 2: 30}
    frames = [frame_with(pair, n, camera_id) for n in range(8) for camera_id in ("gate", "yard")]
    end = StreamEnd("gate", "stalled", at=1.0)
    later = [frame_with({3: 0, 4: 30}, n, "gate") for n in range(20, 28)]
    items = list(group_people([*frames, end, *later], SPEC))
    groups = [item.groups for item in items if isinstance(item, TrackedFrame)]
    assert [group.group_id for group in groups[15]] == [1]  # of the yard
    assert groups[16] == ()
    assert [group.group_id for group in groups[-1]] == [2]
    assert groups[-1][0].members == (3, 4)
