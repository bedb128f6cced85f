"""Labelled clips as the whole pipeline sees them: who is found, tracked and recognized in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from models.boxes import FloatArray
from pipeline.errors import SourceError
from training.clip_evaluation import ClipScore
from training.event_matching import is_where
from training.sample_regions import region_of
from training.samples import Sample
from training.track_scores import VideoScores


@dataclass(frozen=True, slots=True)
class UnreadableClip:
    """A sample that is left out."""

    sample: Sample
    reason: str


def score_clips(
    samples: Sequence[Sample], run: Callable[[Path], VideoScores], span_s: float
) -> Iterator[ClipScore | UnreadableClip]:
    """Score every sample from one run over its video.

    Args:
        samples: any number of samples of each video.
        run: see `pipeline_scores.score_video`.
        span_s: seconds from the first to the last frame of a clip.

    Yields:
        One item per sample; the samples of one video one after the other.
    """
    by_video = sorted(samples, key=lambda sample: str(sample.path))  # stable
    for path, group in groupby(by_video, key=lambda sample: sample.path):
        try:
            video = run(path)
        except SourceError as error:
            for sample in group:
                yield UnreadableClip(sample, str(error).removeprefix(f"{path}: "))
            continue
        for sample in group:
            yield _score(video, sample, span_s)


def _score(video: VideoScores, sample: Sample, span_s: float) -> ClipScore:
    rows = views_of(video, sample, span_s)
    return ClipScore(sample, mean_scores(rows), len(rows), video.people)


def mean_scores(rows: FloatArray) -> FloatArray | None:
    """Of the views of a clip: float32 (V, M) -> (M,); None without a view."""
    if not len(rows):
        return None
    return np.asarray(rows.mean(axis=0, dtype=np.float64), np.float32)


def views_of(video: VideoScores, sample: Sample, span_s: float) -> FloatArray:
    """The scores of the clips of a sample's people whose middle lies in its stretch of time.

    Returns:
        float32 (V, M): V may be 0.
    """
    region = region_of(sample, video.wh, video.frame_pts_s)
    start_s = sample.start_s or 0.0
    end_s = np.inf if sample.end_s is None else sample.end_s
    rows = [np.zeros((0, len(video.labels)), np.float32)]
    for track in video.tracks:
        middle_s = track.path.pts_s - span_s / 2
        inside = (middle_s >= start_s) & (middle_s <= end_s)
        if inside.any() and is_where(track.path, region, start_s, min(end_s, video.duration_s)):
            rows.append(track.scores[inside])
    return np.concatenate(rows)
