"""What was said of one labelled clip."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.boxes import FloatArray
from training.crops.crop_cache import CachedTrack
from training.labels.samples import Sample
from training.metrics.event_matching import PersonPath


@dataclass(frozen=True, slots=True, eq=False)
class VideoView:
    """A view that the pipeline cut out of a video."""

    person: PersonPath
    start_s: float  # seconds of the video
    end_s: float


@dataclass(frozen=True, slots=True, eq=False)
class CachedView:
    """A view of cached crops."""

    track: CachedTrack
    number: int  # in `clip_choice.evaluation_clips`


@dataclass(frozen=True, slots=True, eq=False)
class ClipScore:
    """The scores of a clip, averaged over its views, and what to look at if they are wrong."""

    sample: Sample
    scores: FloatArray | None  # float32 (M,) of the model's labels; None: there was no view
    views: int  # people times moments
    people: int  # tracked; 0 if the whole frame was shown instead
    view: VideoView | CachedView | None  # the one that speaks most for the answer


@dataclass(frozen=True, slots=True)
class UnreadableClip:
    """A sample that is left out."""

    sample: Sample
    reason: str

    def __str__(self) -> str:
        return f"{self.sample.origin}: {self.sample.path}: {self.reason}"


def mean_scores(rows: FloatArray) -> FloatArray:
    """Of the V >= 1 views of a clip: float32 (V, M) -> (M,)."""
    return np.asarray(rows.mean(axis=0, dtype=np.float64), np.float32)


def most_typical(rows: FloatArray) -> int:
    """Which of the V views speaks most for what they say together."""
    return int(rows[:, mean_scores(rows).argmax()].argmax())
