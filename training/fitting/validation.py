"""How good the network is on what is held out, while it is trained and at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from models.boxes import FloatArray
from models.inference.action_recognizer import ActionRecognizer
from training.crops.clip_choice import ViewChoice, evaluation_clips
from training.crops.crop_cache import CachedTrack
from training.labels.samples import Sample
from training.metrics import clip_metrics as metrics
from training.metrics.clip_metrics import ScoredClips

Counts = NDArray[np.intp]

LEAST_SCORE = 1e-6  # the logarithm of zero is infinite


@dataclass(frozen=True, slots=True, eq=False)
class SampleScore:
    """Scores of one sample."""

    sample: Sample
    scores: FloatArray  # float32 (num_classes,), averaged over people and points in time


def score_samples(
    recognizer: ActionRecognizer, tracks: Sequence[CachedTrack], choice: ViewChoice | None = None
) -> list[SampleScore]:
    """Score samples: the views of every person, averaged.

    Args:
        recognizer: as the pipeline uses it.
        tracks: those of a sample one after the other.
        choice: of the views; None: every half second.
    """
    found = []
    for sample, ours in groupby(tracks, key=lambda track: track.sample):
        spec = recognizer.spec
        clips = [clip for track in ours for clip in evaluation_clips(track, spec, choice)]
        if clips:
            found.append(SampleScore(sample, recognizer.predict(clips).mean(axis=0)))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """Measures of the held-out samples after one epoch; None where they do not apply."""

    samples: int
    loss: float  # mean logarithmic loss of the averaged scores
    top1: float | None = None  # the accuracies are for single labels
    top5: float | None = None
    mean_class_accuracy: float | None = None
    mean_average_precision: float | None = None  # for several labels

    @property
    def quality(self) -> tuple[float, float]:
        """What the best epoch is chosen by; of equal accuracies, the lower loss wins."""
        value = self.mean_class_accuracy
        if value is None:
            value = self.mean_average_precision or 0.0
        return value, -self.loss

    def describe(self) -> str:
        """Format the numbers in one line."""
        if self.mean_average_precision is not None:
            return f"mAP {self.mean_average_precision:.3f}, loss {self.loss:.3f}"
        return (
            f"top-1 {self.top1:.3f}, mean over classes {self.mean_class_accuracy:.3f}, "
            f"loss {self.loss:.3f}"
        )


def measure(
    found: Sequence[SampleScore], labels: Sequence[str], *, multi_label: bool
) -> Validation:
    """Count what is right.

    Args:
        found: at least one.
        labels: the classes, in the order of the scores.
        multi_label: several labels may be true at the same time.
    """
    clips = scored_clips(found, labels, multi_label=multi_label)
    ones = metrics.plain_weights(clips)
    scores = clips.scores.clip(LEAST_SCORE, 1 - LEAST_SCORE)
    if multi_label:
        loss = -np.where(clips.truth, np.log(scores), np.log(1 - scores)).mean()
        precision = float(metrics.mean_average_precision(clips, ones)[0])
        return Validation(samples=len(found), loss=float(loss), mean_average_precision=precision)
    return Validation(
        samples=len(found),
        loss=float(-np.log(scores[clips.truth]).mean()),
        top1=float(metrics.top_k(clips, ones, 1)[0]),
        top5=float(metrics.top_k(clips, ones, 5)[0]),
        mean_class_accuracy=float(metrics.mean_class_accuracy(clips, ones)[0]),
    )


def scored_clips(
    found: Sequence[SampleScore], labels: Sequence[str], *, multi_label: bool
) -> ScoredClips:
    """Convert the samples to what `training.metrics.clip_metrics` takes."""
    scores = np.stack([one.scores for one in found])
    return ScoredClips(
        classes=tuple(labels),
        truth=np.array([[label in one.sample.labels for label in labels] for one in found]),
        scores=scores,
        answered=np.ones(len(found), np.bool_),
        confidence=scores.max(axis=1),
        groups=tuple(one.sample.group or str(one.sample.path) for one in found),
        multi_label=multi_label,
    )


def confusion(found: Sequence[SampleScore], labels: Sequence[str]) -> Counts:
    """Count int (C, C): rows the truth, columns the prediction."""
    return metrics.confusion(scored_clips(found, labels, multi_label=False))[:, :-1]
