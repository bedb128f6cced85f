"""How good the network is on what is held out, while it is trained and at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from models.action_recognizer import ActionRecognizer
from models.boxes import FloatArray
from training.clip_cache import CachedTrack
from training.clip_choice import evaluation_clips
from training.samples import Sample

Counts = NDArray[np.intp]
Flags = NDArray[np.bool_]

LEAST_SCORE = 1e-6  # the logarithm of zero is infinite


@dataclass(frozen=True, slots=True, eq=False)
class SampleScore:
    """What the network says of one sample."""

    sample: Sample
    scores: FloatArray  # float32 (num_classes,), averaged over people and moments


def score_samples(recognizer: ActionRecognizer, tracks: Sequence[CachedTrack]) -> list[SampleScore]:
    """Score samples: every person, every half second, averaged.

    Args:
        recognizer: as the pipeline uses it.
        tracks: those of a sample one after the other.
    """
    found = []
    for sample, ours in groupby(tracks, key=lambda track: track.sample):
        clips = [clip for track in ours for clip in evaluation_clips(track, recognizer.spec)]
        if clips:
            found.append(SampleScore(sample, recognizer.predict(clips).mean(axis=0)))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """Numbers of one look at the held-out samples; None where they say nothing."""

    samples: int
    loss: float  # mean logarithmic loss of the averaged scores
    top1: float | None = None  # the accuracies are for single labels
    top5: float | None = None
    mean_class_accuracy: float | None = None
    mean_average_precision: float | None = None  # for several labels

    @property
    def quality(self) -> tuple[float, float]:
        """By which the best epoch is chosen; the loss decides between equals."""
        value = self.mean_class_accuracy
        if value is None:
            value = self.mean_average_precision or 0.0
        return value, -self.loss

    def describe(self) -> str:
        """One line for people."""
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
        multi_label: several labels may be true at once.
    """
    scores = np.stack([one.scores for one in found]).clip(LEAST_SCORE, 1 - LEAST_SCORE)
    truth = np.array([[label in one.sample.labels for label in labels] for one in found])
    if multi_label:
        loss = -np.where(truth, np.log(scores), np.log(1 - scores)).mean()
        precision = mean_average_precision(scores, truth)
        return Validation(samples=len(found), loss=float(loss), mean_average_precision=precision)
    best = np.argsort(-scores, axis=1, kind="stable")[:, :5]
    right = np.take_along_axis(truth, best, axis=1)
    return Validation(
        samples=len(found),
        loss=float(-np.log(scores[truth]).mean()),
        top1=float(right[:, 0].mean()),
        top5=float(right.any(axis=1).mean()),
        mean_class_accuracy=mean_class_accuracy(confusion(found, labels)),
    )


def confusion(found: Sequence[SampleScore], labels: Sequence[str]) -> Counts:
    """Int (C, C): rows the truth, columns what was said."""
    counts = np.zeros((len(labels), len(labels)), np.intp)
    for one in found:
        counts[labels.index(one.sample.labels[0]), one.scores.argmax()] += 1
    return counts


def mean_class_accuracy(counts: Counts) -> float:
    """Recall averaged over the classes that occur, so that rare ones count as much."""
    totals = counts.sum(axis=1)
    there = totals > 0
    return float((np.diag(counts)[there] / totals[there]).mean()) if there.any() else 0.0


def mean_average_precision(scores: FloatArray, truth: Flags) -> float:
    """Average precision without interpolation, averaged over the classes that occur.

    Args:
        scores: float (N, C).
        truth: bool (N, C).
    """
    there = truth.any(axis=0)
    values = [
        _average_precision(s, t) for s, t in zip(scores.T[there], truth.T[there], strict=True)
    ]
    return float(np.mean(values)) if values else 0.0


def _average_precision(scores: FloatArray, truth: Flags) -> float:
    order = np.argsort(-scores, kind="stable")
    hits = truth[order]
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return float(precision[hits].mean())
