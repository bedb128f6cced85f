from __future__ import annotations

import pytest

from pipeline.telemetry.replay_statistics import CameraStatistics
from pipeline.telemetry.silence import RunLimits, explain_silence
from pipeline.types import BestScore

LIMITS = RunLimits(confidence=0.4, max_gap_s=0.5, clip_span_s=2.1)


def seen(longest_s: float = 9.0, **changes: object) -> CameraStatistics:
    """A minute with a person and no clip."""
    camera = CameraStatistics(
        frames=600, pts_s=60.0, people={1: (3.0, 3.0 + longest_s)}, steps_s=[0.1] * 599
    )
    for name, value in changes.items():
        setattr(camera, name, value)
    return camera


def best(score: float) -> BestScore:
    return BestScore("wave", score, start_threshold=0.6)


@pytest.mark.parametrize(
    ("camera", "words"),
    [
        (seen(steps_s=[1.0, 0.4, 1.0]), ["1 s apart", "clip.max_gap_s=0.5", "clip.max_gap_s=1.5"]),
        (seen(people={}), ["no person", "600 frames", "detector.confidence", "0.4"]),
        (seen(pts_s=1.5), ["shorter than the 2.1 s", "clip.clip_len"]),
        (seen(1.25), ["1 people", "2.1 s", "1.2 s", "tracker.max_age"]),
        (seen(clips=7, best=best(0.45)), ["7 clips is 0.45, of wave", "decision.start_threshold"]),
        (seen(clips=1, best=best(0.92)), ["up to 0.92", "1 clip,", "decision.min_duration_s"]),
        (seen(clips=7), ["decision.background"]),
        (seen(unscored=7), ["none of its clips could be scored"]),
    ],
)
def test_the_reason_and_its_key_are_named(camera: CameraStatistics, words: list[str]) -> None:
    why = explain_silence(camera, LIMITS)
    assert why is not None
    assert [word for word in words if word not in why] == []
    assert "\n" not in why


def test_what_spoke_or_was_not_read_needs_no_word() -> None:
    spoke = seen()
    spoke.actions["wave"] += 1
    silent = [spoke, seen(error="a.mp4: no such file"), seen(stopped=True), CameraStatistics()]
    assert [explain_silence(camera, LIMITS) for camera in silent] == [None] * 4
