from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

from pipeline.stages.clip_sampling import ClipSpec
from pipeline.stages.clips import TrackBuffer, cut_clips, drop_pixels
from pipeline.types import Clip, ClippedFrame, StreamEnd, TrackedFrame, TrackedPerson
from tests.conftest import make_frame, make_tracked

SPEC = ClipSpec(clip_len=32, interval_s=2 / 30, crop_size=8, crop_margin=0.25, max_gap_s=0.5)


def tracked_frames(fps: float, seconds: float, **kwargs: object) -> list[TrackedFrame]:
    count = round(seconds * fps)
    return [make_tracked(make_frame(n, n / fps), **kwargs) for n in range(count)]  # type: ignore[arg-type]


def cut(items: Iterable[TrackedFrame | StreamEnd], stride_s: float = 0.5) -> list[Clip]:
    return [
        clip
        for item in cut_clips(items, SPEC, lambda: 0.0, stride_s=stride_s)
        if isinstance(item, ClippedFrame)
        for clip in item.clips
    ]


@pytest.mark.parametrize("fps", [10.0, 25.0, 29.97, 60.0])
def test_clips_of_every_frame_rate_span_the_same_time_and_come_as_often(fps: float) -> None:
    clips = cut(tracked_frames(fps, 10.0))
    assert {clip.crops.shape for clip in clips} == {(32, 8, 8, 3)}
    assert [clip.end_pts_s - clip.start_pts_s for clip in clips] == pytest.approx(
        [62 / 30] * len(clips)
    )
    strides_s = np.diff([clip.end_pts_s for clip in clips])
    assert strides_s == pytest.approx(0.5, abs=1 / fps)
    assert len(clips) == pytest.approx((10 - 62 / 30) / 0.5, abs=2)


def test_the_crops_are_those_of_their_times() -> None:
    frames = [make_tracked(make_frame(n, n / 15, level=n)) for n in range(33)]
    [clip] = cut(frames, stride_s=9.0)
    assert clip.crops[:, 4, 4, 0].tolist() == list(range(32))


def test_a_clip_never_spans_a_gap() -> None:
    before = tracked_frames(30, 1.5)
    after = [make_tracked(make_frame(n, n / 30)) for n in range(90, 180)]  # 1.5 s are missing
    clips = cut([*before, *after])
    assert clips
    assert min(clip.start_pts_s for clip in clips) >= 3.0 - SPEC.interval_s / 2


def test_a_person_who_is_missing_for_long_starts_a_new_clip() -> None:
    items = [
        make_tracked(make_frame(n, n / 30), track_ids=() if 40 <= n < 60 else (1,))
        for n in range(140)
    ]
    assert min(clip.start_pts_s for clip in cut(items)) >= 2.0 - SPEC.interval_s / 2


def test_a_lost_track_is_dropped_immediately() -> None:
    buffered = tracked_frames(30, 2.0)
    gone = make_tracked(make_frame(60, 2.0), track_ids=(), ended=(1,))
    again = [make_tracked(make_frame(n, n / 30)) for n in range(61, 100)]
    assert cut([*buffered, gone, *again]) == []


def test_the_end_of_a_camera_frees_its_tracks_and_is_passed_on() -> None:
    end = StreamEnd("gate", "failed", "broken")
    items = list(
        cut_clips(
            [*tracked_frames(30, 2.0), end, *tracked_frames(30, 1.0)],
            SPEC,
            lambda: 0.0,
            stride_s=0.5,
        )
    )
    assert items[60] == end
    assert all(not item.clips for item in items if isinstance(item, ClippedFrame))


def test_two_cameras_with_the_same_track_id_do_not_mix() -> None:
    mixed: list[TrackedFrame] = []
    for n in range(40):
        mixed.append(make_tracked(make_frame(n, n / 15, camera_id="a", level=10)))
        mixed.append(make_tracked(make_frame(n, n / 15, camera_id="b", level=200)))
    for clip in cut(mixed):
        assert set(np.unique(clip.crops)) == {10 if clip.camera_id == "a" else 200}


@pytest.mark.parametrize("fps", [10.0, 30.0, 60.0, 240.0, 1000.0])
def test_a_track_holds_a_bounded_number_of_crops_however_fast_the_camera(fps: float) -> None:
    buffer = TrackBuffer(SPEC, stride_s=0.5)
    person = TrackedPerson(1, np.array([10, 8, 30, 40], np.float32), 0.9)
    longest = 0
    for n in range(round(6 * fps)):
        buffer.add(make_frame(n, n / fps), person)
        longest = max(longest, len(buffer))
    assert longest <= 5 * (SPEC.clip_len + 2)


def test_a_fast_camera_still_gives_clips() -> None:
    assert len(cut(tracked_frames(240.0, 4.0))) >= 3


def test_dropped_pixels_keep_the_shape_and_cost_no_memory() -> None:
    [item] = drop_pixels([ClippedFrame(make_tracked(make_frame(3, level=9)), (), 0.0)])
    assert isinstance(item, ClippedFrame)
    assert item.tracked.frame.wh == (64, 48)
    assert item.tracked.frame.image.base is not None
    assert item.tracked.frame.image.base.nbytes == 1
