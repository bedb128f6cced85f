"""What the videos of the data tell, once their people are cut."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from training.crops.preparation import Prepared
from training.labels.checks import labels_without_clips
from training.labels.findings import Finding, listed
from training.labels.samples import Sample

TOO_MANY_LOST = 0.5  # share of the samples


def check_videos(
    prepared: Prepared, samples: Sequence[Sample], labels: Sequence[str], span_s: float
) -> list[Finding]:
    """Unreadable videos, samples in which nobody is tracked, and what is too short.

    Args:
        prepared: what could be cut.
        samples: what there was to cut.
        labels: the classes.
        span_s: of a clip.
    """
    left = {track.sample for track in prepared.tracks if track.sample.split == "train"}
    return [
        *_unreadable(prepared, len(samples)),
        *_whole_frames(prepared, len(samples)),
        *_short(prepared, span_s),
        *(labels_without_clips(left, labels) if prepared.failures else ()),
    ]


def _unreadable(prepared: Prepared, count: int) -> Iterator[Finding]:
    lost = len(prepared.failures)
    if lost:
        yield Finding(
            "error" if lost > TOO_MANY_LOST * count else "warning",
            f"{lost} of {count} samples cannot be used: "
            + listed(map(str, prepared.failures), "\n  "),
            "They are left out; mend the files or take their lines out",
        )


def _whole_frames(prepared: Prepared, count: int) -> Iterator[Finding]:
    whole = {track.sample for track in prepared.tracks if track.whole_frame}
    if whole:
        yield Finding(
            "warning",
            f"in {len(whole)} of {count} samples nobody is tracked, so the whole picture is used: "
            f"{_paths(whole)}",
            "The pipeline sees single people only: a lower detector.confidence, better "
            "detector.weights, or boxes of your own help",
        )


def _short(prepared: Prepared, span_s: float) -> Iterator[Finding]:
    short = {
        track.sample for track in prepared.tracks if track.pts_s[-1] - track.pts_s[0] < span_s / 2
    }
    if short:
        yield Finding(
            "warning",
            f"in {len(short)} samples somebody is seen for less than half a clip of "
            f"{span_s:.1f} s: {_paths(short)}",
            "Their first and last pictures are repeated, which no camera shows; longer videos or "
            "a shorter clip (input.clip_len, input.frame_interval) are better",
        )


def _paths(samples: Iterable[Sample]) -> str:
    return listed(sorted(str(one.path) for one in samples))
