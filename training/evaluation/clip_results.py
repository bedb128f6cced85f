"""Results of the evaluation of labelled clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.boxes import FloatArray
from models.slowfast.input_spec import InputSpec
from training.crops.crop_cache import CachedTrack
from training.crops.person_tracks import PersonPath
from training.evaluation.video_scores import SubjectScores
from training.labels.samples import Sample
from training.metrics.best_subject import most_active_subject
from training.metrics.clip_metrics import ScoredClips
from training.metrics.label_mapping import LabelMapping
from training.metrics.resampling import Interval

NOBODY = np.zeros((0, 0), np.float32)


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
    """The scores of a clip by subject, and the view to show if they are wrong."""

    sample: Sample
    subjects: FloatArray  # float32 (S, M) of the model's labels, averaged over time; S may be 0
    views: int  # subjects times points in time
    people: int  # tracked
    view: VideoView | CachedView | None  # of the subject that decides; None: there is none
    timelines: tuple[SubjectScores, ...] = ()  # the same subjects, clip after clip
    seconds: float = 0.0  # of the video in which they could be seen
    over_time: tuple[FloatArray, ...] = ()  # per subject float32 (V, M): what was averaged

    @classmethod
    def of(
        cls,
        sample: Sample,
        people: int,
        over_time: Sequence[FloatArray],
        view: VideoView | CachedView | None,
        *,
        timelines: Sequence[SubjectScores] = (),
        seconds: float = 0.0,
    ) -> ClipScore:
        """Average every subject over time.

        Args:
            sample: of the clip.
            people: who were tracked.
            over_time: per subject float32 (V, M), its V >= 1 views.
            view: to show.
            timelines: the subjects with their times, for the decision rules.
            seconds: of the video in which they could be seen.
        """
        means = np.stack([*map(mean_scores, over_time)]) if over_time else NOBODY
        views = sum(map(len, over_time))
        return cls(sample, means, views, people, view, tuple(timelines), seconds, tuple(over_time))

    @property
    def scored(self) -> bool:
        """True if there was anybody to score."""
        return len(self.subjects) > 0


@dataclass(frozen=True, slots=True)
class UnreadableClip:
    """A sample that cannot be read."""

    sample: Sample
    reason: str

    def __str__(self) -> str:
        return f"{self.sample.origin}: {self.sample.path}: {self.reason}"


def clip_score(
    sample: Sample,
    people: int,
    subjects: Sequence[FloatArray],
    views: Sequence[VideoView | CachedView],
    background: Sequence[int],
    *,
    timelines: Sequence[SubjectScores] = (),
    seconds: float = 0.0,
) -> ClipScore:
    """Average every subject over time, and choose the view to show.

    Args:
        sample: of the clip.
        people: who were tracked.
        subjects: per subject float32 (V, M), its V >= 1 views in the order of time.
        views: of all subjects, one subject after the other.
        background: columns of the labels that never become an event.
        timelines: the subjects with their times, for the decision rules.
        seconds: of the video in which they could be seen.
    """
    if not subjects:
        return ClipScore.of(sample, people, (), None, seconds=seconds)
    shown = most_active_subject(np.stack([*map(mean_scores, subjects)]), background)
    first = sum(map(len, subjects[:shown]))
    view = views[first + most_typical(subjects[shown])]
    return ClipScore.of(sample, people, subjects, view, timelines=timelines, seconds=seconds)


def mean_scores(rows: FloatArray) -> FloatArray:
    """Average the V >= 1 views of a subject: float32 (V, M) -> (M,)."""
    return np.asarray(rows.mean(axis=0, dtype=np.float64), np.float32)


def most_typical(rows: FloatArray) -> int:
    """Return which of the V views has the highest score of the label that wins on average."""
    return int(rows[:, mean_scores(rows).argmax()].argmax())


@dataclass(frozen=True, slots=True)
class Measure:
    """A number and where it lies with a probability of 95 %."""

    name: str
    value: float | None  # None: not defined here
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
        """Number of clips in which no person could be scored."""
        return sum(not score.scored for score in self.scores)

    @property
    def untracked(self) -> int:
        """Number of clips in which no person was tracked."""
        return sum(not score.people for score in self.scores)

    def value(self, name: str) -> float | None:
        """Return the value of a measure by its name."""
        return next(measure.value for measure in self.measures if measure.name == name)


@dataclass(frozen=True, slots=True)
class FoldResult:
    """One fold."""

    number: int  # from 1 on
    trained_on: int  # samples, without those that chose the epoch
    clips: int  # that were judged
    groups: int
    top1: float | None
    area_under_curve: float | None  # None: not two classes, or one of them is missing
    folder: str  # of its model


@dataclass(frozen=True, slots=True, eq=False)
class FoldsEvaluation:
    """All folds together."""

    pooled: ClipEvaluation  # of every clip once
    folds: tuple[FoldResult, ...]
    spec: InputSpec  # of the networks
    started_from: str  # weights or architecture
    warnings: tuple[str, ...]  # why the result may be too good
    left_out: tuple[str, ...]  # samples that could not be read, and why


def group_spread(groups: Sequence[GroupResult]) -> GroupSpread:
    """Summarize how far at least one group differ in top-1."""
    values = np.array([group.top1 for group in groups])
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75]).tolist()
    lowest, highest = float(values.min()), float(values.max())
    return GroupSpread(len(values), lowest, low, middle, high, highest, float(values.std()))


def known(value: float) -> float | None:
    """Return None for nan, which JSON does not have."""
    return None if np.isnan(value) else float(value)
