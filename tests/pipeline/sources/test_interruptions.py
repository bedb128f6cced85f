from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest

from pipeline.sources.interruptions import end_at_interruptions
from pipeline.types import Frame, StreamEnd
from tests.conftest import make_frame


def frames(*pts_s: float) -> list[Frame | StreamEnd]:
    return [*(make_frame(n, at_s) for n, at_s in enumerate(pts_s)), StreamEnd("gate")]


def shown(items: Iterable[Frame | StreamEnd]) -> list[float | str]:
    return [
        item.pts_s if isinstance(item, Frame) else f"{item.reason} {item.at}"
        for item in end_at_interruptions(items, max_gap_s=0.5)
    ]


def test_a_gap_ends_the_camera_at_its_last_frame_before_it() -> None:
    assert shown(frames(0.0, 0.1, 0.2, 3600.0, 3600.1)) == [
        *(0.0, 0.1, 0.2),
        "stalled 1002.0",
        *(3600.0, 3600.1),
        "stream_ended None",
    ]


def test_a_gap_that_a_clip_may_have_ends_nothing() -> None:
    assert shown(frames(0.0, 0.1, 0.6, 0.7)) == [0.0, 0.1, 0.6, 0.7, "stream_ended None"]


@pytest.mark.parametrize("step_s", [1.0, 5.0, 3600.0])
def test_a_recording_with_few_frames_has_no_gaps(step_s: float) -> None:
    times_s = [n * step_s for n in range(12)]
    assert shown(frames(*times_s)) == [*times_s, "stream_ended None"]


def test_a_rate_that_falls_becomes_usual() -> None:
    times_s = [n / 25 for n in range(50)] + [3.0 + n for n in range(20)]
    ends = [item for item in shown(frames(*times_s)) if str(item).startswith("stalled")]
    assert 1 <= len(ends) <= 3


def test_another_frame_size_ends_the_camera_before_it() -> None:
    small, end = make_frame(0, 0.0), StreamEnd("gate")
    large = replace(make_frame(1, 0.1), image=np.zeros((96, 128, 3), np.uint8))
    assert shown([small, large, replace(large, pts_s=0.2), end]) == [
        0.0,
        "format_changed 1000.0",
        *(0.1, 0.2),
        "stream_ended None",
    ]


def test_it_says_at_the_end_what_it_did(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        shown(frames(0.0, 0.1, 0.2, 50.2, 50.3, 50.4, 100.4))
    assert caplog.messages == ["gate: tracks and actions ended at gaps (2, 100.0 s in all)"]
