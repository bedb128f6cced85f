"""A group's clip is one fixed window, cut from regions as it would be from whole frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import cv2
import numpy as np
import pytest

from models.boxes import FloatArray
from pipeline.stages.clip_sampling import ClipSpec, crop_person
from pipeline.stages.clips import cut_clips
from pipeline.stages.group_clips import REGION, GroupBuffer, GroupClipSpec, cut_subjects
from pipeline.stages.groups import GroupSpec, group_window, hull
from pipeline.types import (
    Clip,
    ClippedFrame,
    Frame,
    Image,
    StreamEnd,
    TrackedFrame,
    TrackedGroup,
    TrackedPerson,
)

FPS = 10.0
MARGIN = 0.12
SPEC = ClipSpec(clip_len=8, interval_s=0.1, crop_size=40, crop_margin=0.25, max_gap_s=0.5)
GROUPS = GroupClipSpec(GroupSpec(together_s=0.2, apart_s=0.5), MARGIN, stride_s=0.4)
Boxes = Mapping[int, tuple[float, float, float, float]]


def noise(index: int, wh: tuple[int, int] = (320, 240), grain: int = 8) -> Image:
    width, height = (side // grain for side in wh)
    small = np.random.default_rng(index).integers(0, 255, (height, width, 3), np.uint8)
    return np.asarray(cv2.resize(small, wh, interpolation=cv2.INTER_CUBIC), np.uint8)


def tracked(
    index: int,
    boxes: Boxes,
    *,
    wh: tuple[int, int] = (320, 240),
    camera_id: str = "gate",
    grain: int = 8,
) -> TrackedFrame:
    frame = Frame(camera_id, index, index / FPS, 0.0, noise(index, wh, grain), 0.0)
    people = tuple(TrackedPerson(n, np.array(box, np.float32), 0.9) for n, box in boxes.items())
    return TrackedFrame(frame, people, (), 0.0, 0.0)


def group_of(item: TrackedFrame, *members: int) -> TrackedGroup:
    """The group of these members, of whom at least one is seen."""
    boxes = [one.xyxy for one in item.people if one.track_id in members]
    return TrackedGroup(1, members, hull(np.stack(boxes)))


def last_clip(buffer: GroupBuffer, items: list[TrackedFrame], *members: int) -> Clip | None:
    clips = [buffer.add(item, group_of(item, *members)) for item in items]
    return next((clip for clip in reversed(clips) if clip is not None), None)


def expected(items: list[TrackedFrame], window: FloatArray) -> np.ndarray:
    return np.stack(
        [crop_person(one.frame.image, window, size=SPEC.crop_size, margin=0.0) for one in items]
    )


def test_a_clip_shows_what_the_same_window_shows_of_the_whole_frames() -> None:
    items = [
        tracked(n, {1: (100 + n, 80.5, 120 + n, 110), 2: (125, 75, 140, 112)}) for n in range(8)
    ]
    clip = last_clip(GroupBuffer(SPEC, GROUPS), items, 1, 2)
    assert clip is not None
    boxes = np.stack([one.xyxy for item in items for one in item.people])
    assert (clip.crops == expected(items, group_window(boxes, MARGIN))).all()
    assert (clip.subject.kind, clip.subject.id, clip.subject.members) == ("group", 1, (1, 2))
    assert clip.xyxy.tolist() == [107, 75, 140, 112]
    assert (clip.start_pts_s, clip.end_pts_s) == pytest.approx((0.0, 0.7))


def test_a_large_group_is_stored_small_and_shows_the_same() -> None:
    items = [
        tracked(n, {1: (80, 80, 150, 300), 2: (160, 90 + n, 240, 310)}, wh=(640, 480), grain=40)
        for n in range(8)
    ]
    buffer = GroupBuffer(SPEC, GROUPS)
    clip = last_clip(buffer, items, 1, 2)
    assert clip is not None
    for region in buffer._window._samples:
        assert max(region.image.shape[:2]) <= 2 * REGION * SPEC.crop_size + 2
    boxes = np.stack([one.xyxy for item in items for one in item.people])
    whole = expected(items, group_window(boxes, MARGIN)).astype(float)
    assert np.abs(clip.crops - whole).mean() < 6  # half a stored pixel of rounding, resized twice


def test_the_window_stands_still_while_the_regions_move() -> None:
    """The same scene in every frame: a fixed window shows no motion at all."""
    still = noise(1)
    items = [
        replace(item, frame=replace(item.frame, image=still))
        for item in (
            tracked(n, {1: (150 + 3 * n, 100.3, 165 + 3 * n, 141), 2: (160, 101, 180, 140)})
            for n in range(8)
        )
    ]
    clip = last_clip(GroupBuffer(SPEC, GROUPS), items, 1, 2)
    assert clip is not None
    assert (clip.crops == clip.crops[:1]).all()


def test_at_the_edge_of_the_image_the_border_is_repeated() -> None:
    items = [tracked(n, {1: (0, 100, 15, 140), 2: (10, 100, 25, 140)}) for n in range(8)]
    clip = last_clip(GroupBuffer(SPEC, GROUPS), items, 1, 2)
    assert clip is not None
    boxes = np.stack([one.xyxy for item in items for one in item.people])
    assert (clip.crops == expected(items, group_window(boxes, MARGIN))).all()


def test_who_joins_does_not_restart_the_clip_and_counts_from_then_on() -> None:
    pair = {1: (100, 80, 120, 120), 2: (120, 80, 140, 120)}
    before = [tracked(n, pair | {3: (10, 10, 30, 50)}) for n in range(6)]
    after = [tracked(n, pair | {3: (140, 80, 160, 120)}) for n in range(6, 8)]
    buffer = GroupBuffer(SPEC, GROUPS)
    assert last_clip(buffer, before, 1, 2) is None
    clip = last_clip(buffer, after, 1, 2, 3)
    assert clip is not None
    assert clip.subject.members == (1, 2, 3)
    window = group_window(np.array([[100, 80, 160, 120]], np.float32), MARGIN)
    assert (clip.crops[6:] == expected(after, window)).all()


def test_a_group_of_other_people_at_another_place_has_no_clip_until_the_old_place_is_over() -> None:
    here = [tracked(n, {1: (10, 10, 30, 50), 2: (30, 10, 50, 50)}) for n in range(6)]
    there = [tracked(n, {3: (250, 180, 270, 220), 4: (270, 180, 290, 220)}) for n in range(6, 20)]
    buffer = GroupBuffer(SPEC, GROUPS)
    assert last_clip(buffer, here, 1, 2) is None
    clips = [buffer.add(item, group_of(item, 3, 4)) for item in there]
    first = next(clip for clip in clips if clip is not None)
    assert first.start_pts_s > 0.6 - SPEC.interval_s / 2


def test_another_resolution_starts_a_new_clip() -> None:
    buffer = GroupBuffer(SPEC, GROUPS)
    pair = {1: (100, 80, 120, 120), 2: (120, 80, 140, 120)}
    last_clip(buffer, [tracked(n, pair) for n in range(6)], 1, 2)
    last_clip(buffer, [tracked(6, pair, wh=(640, 480))], 1, 2)
    assert len(buffer) == 1


@pytest.mark.parametrize("box", [(318, 0, 320, 240), (0, 238.5, 320, 240), (0, 0, 320, 240)])
def test_a_group_at_any_place_can_be_cut(box: tuple[float, float, float, float]) -> None:
    items = [tracked(n, {1: box, 2: box}) for n in range(8)]
    clip = last_clip(GroupBuffer(replace(SPEC, crop_size=3), GROUPS), items, 1, 2)
    assert clip is not None
    assert clip.crops.shape == (8, 3, 3, 3)


def stream(seconds: float) -> list[TrackedFrame | StreamEnd]:
    return [
        tracked(n, {1: (100, 80, 120, 120), 2: (120, 80, 140, 120)}, camera_id=camera_id)
        for n in range(round(seconds * FPS))
        for camera_id in ("gate", "yard")
    ]


def cut(items: list[TrackedFrame | StreamEnd], spec: GroupClipSpec | None) -> list[ClippedFrame]:
    clipped = cut_subjects(items, SPEC, spec, lambda: 0.0, stride_s=0.4)
    return [item for item in clipped if isinstance(item, ClippedFrame)]


def test_groups_are_clipped_beside_their_members_with_their_own_stride() -> None:
    items = cut(stream(3.0), replace(GROUPS, stride_s=0.8))
    subjects = [clip.subject for item in items for clip in item.clips if clip.camera_id == "gate"]
    kinds = [subject.kind for subject in subjects]
    # persons: 0.7, 1.1, ... 2.7 of two; the group is there from 0.2, so 0.9, 1.7, 2.5
    assert (kinds.count("person"), kinds.count("group")) == (12, 3)
    assert {subject.members for subject in subjects if subject.kind == "group"} == {(1, 2)}


def test_a_camera_that_ends_takes_its_groups_with_it() -> None:
    first = stream(0.9)
    gate_again = [one for one in stream(1.7)[18:] if isinstance(one, TrackedFrame)]
    items = cut([*first, StreamEnd("gate", "stalled", at=1.0), *gate_again], GROUPS)
    groups = [c for item in items for c in item.clips if c.subject.kind == "group"]
    assert {clip.camera_id for clip in groups} == {"yard"}


def test_without_labels_of_groups_nothing_is_grouped() -> None:
    items = stream(1.5)
    without = cut(items, None)
    plain = list(cut_clips(items, SPEC, lambda: 0.0, stride_s=0.4))
    assert [item.tracked for item in without] == items
    assert sum(len(item.clips) for item in without) == sum(
        len(item.clips) for item in plain if isinstance(item, ClippedFrame)
    )
