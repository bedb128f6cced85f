"""Every number of the evaluation that is about labelled clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.evaluation.scored_clip import ClipScore
from training.metrics.clip_metrics import ScoredClips
from training.metrics.label_mapping import LabelMapping
from training.metrics.resampling import Interval


@dataclass(frozen=True, slots=True)
class Measure:
    """A number and where it lies with a probability of 95 %."""

    name: str
    value: float | None  # None: it says nothing here
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class ClassResult:
    """One class."""

    label: str
    clips: int
    recall: float | None
    precision: float | None
    average_precision: float | None


@dataclass(frozen=True, slots=True)
class GroupResult:
    """One group of recordings."""

    group: str
    clips: int
    top1: float


@dataclass(frozen=True, slots=True)
class GroupSpread:
    """How far groups differ in top-1."""

    groups: int
    lowest: float
    lower_quartile: float
    median: float
    upper_quartile: float
    highest: float
    standard_deviation: float


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Answers of about the same confidence."""

    low: float
    high: float
    count: int
    confidence: float | None  # mean
    accuracy: float | None


@dataclass(frozen=True, slots=True, eq=False)
class ClipEvaluation:
    """Everything about the clips of one model and one data set."""

    clips: ScoredClips
    scores: tuple[ClipScore, ...]  # in the same order
    mapping: LabelMapping
    measures: tuple[Measure, ...]
    confusion: NDArray[np.intp] | None  # int (K, K + 1), see `metrics.confusion`; single label
    per_class: tuple[ClassResult, ...]
    per_group: tuple[GroupResult, ...]  # the worst first
    calibration: tuple[CalibrationBin, ...]
    seed: int

    @property
    def silent(self) -> int:
        """Clips in which there was nobody to score."""
        return sum(score.scores is None for score in self.scores)

    def value(self, name: str) -> float | None:
        """Of a measure."""
        return next(measure.value for measure in self.measures if measure.name == name)


def group_spread(groups: Sequence[GroupResult]) -> GroupSpread:
    """Of at least one group."""
    values = np.array([group.top1 for group in groups])
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75]).tolist()
    lowest, highest = float(values.min()), float(values.max())
    return GroupSpread(len(values), lowest, low, middle, high, highest, float(values.std()))


def known(value: float) -> float | None:
    """None for nan, as JSON has it."""
    return None if np.isnan(value) else float(value)
