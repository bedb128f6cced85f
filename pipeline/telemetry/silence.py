"""Explain why a recording gave no action, with the key to change: silence is no result."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from pipeline.telemetry.replay_statistics import CameraStatistics

_MORE_THAN_A_STEP = 1.5  # a frame may come a little late and still leave no gap


@dataclass(frozen=True, slots=True)
class RunLimits:
    """What a person must fulfil to be recognized."""

    confidence: float  # of a detection
    max_gap_s: float  # no clip spans a longer gap
    clip_span_s: float  # seconds that a clip needs


def explain_silence(camera: CameraStatistics, limits: RunLimits) -> str | None:
    """Return why no action came of a recording; None if one did, or if it was not read at all."""
    if camera.actions or camera.error or camera.stopped or not camera.frames:
        return None
    step_s = median(camera.steps_s) if camera.steps_s else 0.0
    if step_s > limits.max_gap_s:
        return (
            f"its frames are {step_s:.2g} s apart, and no clip spans a gap of more than "
            f"clip.max_gap_s={limits.max_gap_s:g}: set clip.max_gap_s="
            f"{step_s * _MORE_THAN_A_STEP:.2g}, or record at a higher rate"
        )
    if not camera.people:
        return (
            f"no person was found in {camera.frames} frames: a lower detector.confidence than "
            f"{limits.confidence:g}, a larger detector.image_size or other detector.weights find "
            "more"
        )
    if not camera.clips + camera.unscored:
        return _no_clip(camera, limits)
    return _no_action(camera)


def _no_clip(camera: CameraStatistics, limits: RunLimits) -> str:
    span = f"{limits.clip_span_s:.1f} s"
    needed = f"the {span} that a clip needs (clip.clip_len, clip.frame_interval)"
    if camera.pts_s < limits.clip_span_s:
        return f"it is shorter than {needed}"
    longest_s = max(last_s - first_s for first_s, last_s in camera.people.values())
    seen = f"{len(camera.people)} people were found, but none for {needed} without a longer gap"
    return (
        f"{seen} than clip.max_gap_s={limits.max_gap_s:g}; the longest for {longest_s:.1f} s: a "
        "lower detector.confidence or a higher tracker.max_age lose people less often"
    )


def _no_action(camera: CameraStatistics) -> str:
    if not camera.clips:  # reported with the scores that are not finite
        return "none of its clips could be scored"
    best = camera.best
    if best is None:
        return "every label is background: decision.background"
    clips = "1 clip" if camera.clips == 1 else f"{camera.clips} clips"
    if best.score < best.start_threshold:
        return (
            f"the highest score of its {clips} is {best.score:.2f}, of {best.action}, which starts "
            f"at {best.start_threshold:g}: decision.start_threshold, decision.per_action"
        )
    return (
        f"{best.action} had scores up to {best.score:.2f} in its {clips}, but not for long enough "
        "to start: decision.smoothing_s, decision.min_duration_s"
    )
