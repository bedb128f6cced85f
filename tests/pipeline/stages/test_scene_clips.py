"""Scene clips: exact in time, with the boxes of the timestamp that the output belongs to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest

from pipeline.stages.clip_sampling import ClipSpec
from pipeline.stages.scene_clips import SceneBuffer, cut_scenes
from pipeline.types import (
    ClippedFrame,
    Frame,
    SceneClip,
    StreamEnd,
    TrackedFrame,
    TrackedPerson,
)
from tests.conftest import make_frame, make_tracked

# Frames of make_frame are 64 x 48: scenes become 32 x 24.
SPEC = ClipSpec(clip_len=32, interval_s=2 / 30, crop_size=24, crop_margin=0.25, max_gap_s=0.5)


def tracked_frames(fps: float, seconds: float) -> list[TrackedFrame]:
    return [make_tracked(make_frame(n, n / fps)) for n in range(round(seconds * fps))]


def cut(items: Iterable[TrackedFrame | StreamEnd], stride_s: float = 0.5) -> list[SceneClip]:
    return [
        item.scene
        for item in cut_scenes(items, SPEC, lambda: 0.0, stride_s=stride_s)
        if isinstance(item, ClippedFrame) and item.scene is not None
    ]


def walker(index: int, pts_s: float) -> TrackedFrame:
    """A person who walks ten pixels per second."""
    x = 10 * pts_s
    person = TrackedPerson(1, np.array([x, 8, x + 10, 40], np.float32), 0.9)
    return replace(make_tracked(make_frame(index, pts_s)), people=(person,))


@pytest.mark.parametrize("fps", [10.0, 25.0, 29.97, 60.0])
def test_scenes_of_every_frame_rate_span_the_same_time_and_come_as_often(fps: float) -> None:
    scenes = cut(tracked_frames(fps, 10.0))
    assert {scene.frames.shape for scene in scenes} == {(32, 24, 32, 3)}
    spans_s = [scene.end_pts_s - scene.start_pts_s for scene in scenes]
    assert spans_s == pytest.approx([62 / 30] * len(scenes))
    strides_s = np.diff([scene.end_pts_s for scene in scenes])
    assert strides_s == pytest.approx(0.5, abs=1 / fps)


def test_the_frames_are_those_of_their_times() -> None:
    frames = [make_tracked(make_frame(n, n / 15, level=n)) for n in range(33)]
    [scene] = cut(frames, stride_s=9.0)
    assert scene.frames[:, 12, 16, 0].tolist() == list(range(32))


@pytest.mark.parametrize("fps", [10.0, 30.0])
def test_the_network_gets_the_boxes_of_the_middle_and_the_event_those_of_now(fps: float) -> None:
    for scene in cut(walker(n, n / fps) for n in range(round(4 * fps))):
        middle_s = scene.start_pts_s + 16 * SPEC.interval_s
        in_scene, now = scene.key_xyxy[0], scene.xyxy[0]
        assert now[0] == pytest.approx(10 * scene.end_pts_s, abs=1e-3)
        # Half of it in the scene, which is half as large; the nearest frame may be half away.
        assert in_scene[0] == pytest.approx(10 * middle_s / 2, abs=10 / fps / 4 + 0.05)
        assert in_scene[1:].tolist() == pytest.approx([4, in_scene[0] + 5, 20])


def test_only_who_was_there_in_the_middle_and_still_is_gets_an_answer() -> None:
    def people(pts_s: float) -> tuple[int, ...]:
        early, late = pts_s < 2.0, pts_s > 1.8
        return (1, *((2,) if early else ()), *((3,) if late else ()))

    items = [make_tracked(make_frame(n, n / 30), people(n / 30)) for n in range(70)]
    first, *_ = cut(items, stride_s=0.5)
    assert first.track_ids == (1,)
    assert len(first.key_xyxy) == len(first.xyxy) == 1


def test_an_empty_scene_costs_nothing() -> None:
    items = [make_tracked(make_frame(n, n / 30), ()) for n in range(100)]
    assert cut(items) == []


def test_a_scene_never_spans_a_gap() -> None:
    after = [make_tracked(make_frame(n, n / 30)) for n in range(90, 180)]
    scenes = cut([*tracked_frames(30, 1.5), *after])
    assert scenes
    assert min(scene.start_pts_s for scene in scenes) >= 3.0 - SPEC.interval_s / 2


def with_size(item: TrackedFrame, wh: tuple[int, int]) -> TrackedFrame:
    frame: Frame = item.frame
    image = np.zeros((wh[1], wh[0], 3), np.uint8)
    return replace(item, frame=replace(frame, image=image))


def test_a_camera_that_changes_its_resolution_starts_a_new_clip() -> None:
    large = [with_size(make_tracked(make_frame(n, n / 30)), (48, 96)) for n in range(60, 150)]
    scenes = cut([*tracked_frames(30, 2.0), *large])
    assert {scene.frames.shape for scene in scenes} == {(32, 48, 24, 3)}
    assert min(scene.start_pts_s for scene in scenes) >= 2.0 - SPEC.interval_s / 2


def test_cameras_do_not_mix_and_an_ended_one_is_forgotten() -> None:
    gate = [make_tracked(make_frame(n, n / 30, camera_id="gate", level=1)) for n in range(64)]
    yard = [make_tracked(make_frame(n, n / 30, camera_id="yard", level=2)) for n in range(64)]
    both = [item for pair in zip(gate, yard, strict=True) for item in pair]
    for scene in cut(both):
        assert set(scene.frames.flatten()) == {1 if scene.camera_id == "gate" else 2}
    end = StreamEnd("gate")
    items = list(
        cut_scenes(
            [*tracked_frames(30, 2.0), end, *tracked_frames(30, 1.0)],
            SPEC,
            lambda: 0.0,
            stride_s=0.5,
        )
    )
    assert items[60] == end
    assert all(item.scene is None for item in items if isinstance(item, ClippedFrame))


def test_a_buffer_holds_no_more_than_a_clip_needs() -> None:
    buffer = SceneBuffer(SPEC, stride_s=0.5)
    for item in tracked_frames(240, 4.0):
        buffer.add(item)
    assert len(buffer) <= 5 * 34
