"""Make scores mean frequencies, and choose thresholds for a rate of false alarms, by folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import beta

from models.boxes import FloatArray
from models.inference.temperature import LEAST_SCORE, apply_temperatures
from models.slowfast.default_decision import DefaultDecision, LabelDecision
from training.evaluation.clip_results import ClipScore, Measure
from training.evaluation.clips import measure_clips, scored_clips
from training.labels.samples import DataError
from training.labels.splits import draw_folds, unit_of
from training.metrics.clip_metrics import ScoredClips
from training.metrics.label_mapping import LabelMapping

FOLDS = 5
# How far the temperatures of labels spread around their common one: the deviation of a normal prior
# on their logarithms. A label with few clips stays near the common temperature.
LOG_SPREAD = 0.25
LOG_RANGE = (np.log(0.2), np.log(10.0))
LOG_STEP = 1e-3  # of the numeric gradient: scores are float32, smaller steps drown in rounding
LEAST_WITH, LEAST_WITHOUT = 5, 10  # clips with and without an action that a threshold needs
END_RATIO = 2 / 3  # of the start threshold, as 0.4 is of 0.6
STEP = 0.001  # of thresholds
CONFIDENCE = 0.95

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ChosenThreshold:
    """The start threshold of a label, and what it does on out-of-fold scores."""

    label: str
    start: float
    end: float
    false_alarms: int  # clips without the action that reach it
    without: int
    at_most: float  # what the clips rule out of the rate with 95 % certainty (Clopper-Pearson)
    found: int  # clips with the action that reach it
    with_it: int

    def describe(self, rate: float) -> str:
        """Say for what it was chosen, in a sentence."""
        return (
            f"at most {100 * rate:g} % of clips without it: {self.false_alarms} of {self.without} "
            f"reached it (95 %: at most {100 * self.at_most:.1f} %), {self.found} of "
            f"{self.with_it} with it; by folds"
        )


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """Temperatures of all data, and what temperatures of the other folds achieve."""

    labels: tuple[str, ...]
    temperatures: tuple[float, ...]  # per label of the model
    before: Measure  # expected calibration error
    after: Measure  # the same of out-of-fold scores
    rate: float  # of false alarms, for which thresholds were chosen: share of clips
    thresholds: tuple[ChosenThreshold, ...]  # of labels with enough clips
    folds: int


def calibrate(
    scores: Sequence[ClipScore],
    mapping: LabelMapping,
    labels: Sequence[str],
    *,
    multi_label: bool,
    rate: float,
    seed: int,
) -> Calibration:
    """Fit temperatures, and measure by folds over groups what they are worth.

    Args:
        scores: of clips, by networks that were not trained on them.
        mapping: of their labels.
        labels: M, of the model.
        multi_label: the scores are independent of each other.
        rate: share of the clips without an action that may reach its threshold.
        seed: of folds and intervals.

    Raises:
        DataError: if there are no two groups with scores.
    """
    usable = [score for score in scores if score.scored]
    samples = [score.sample for score in usable]
    groups = len({unit_of(sample) for sample in samples})
    if groups < 2:
        raise DataError("calibration is measured by folds: it needs two groups with scores")
    folds = min(FOLDS, groups)
    of_fold = draw_folds(samples, folds, seed)
    held_out: list[ClipScore] = [score for score in scores if not score.scored]
    for fold in range(folds):
        pairs = list(zip(usable, of_fold, strict=True))
        others = [score for score, its in pairs if its != fold]
        fitted = fit_temperatures(others, mapping, multi_label=multi_label)
        held_out += [
            with_temperatures(score, fitted, multi_label=multi_label)
            for score, its in pairs
            if its == fold
        ]
    before = scored_clips(scores, mapping, model_multi_label=multi_label)
    after = scored_clips(held_out, mapping, model_multi_label=multi_label)
    temperatures = fit_temperatures(usable, mapping, multi_label=multi_label)
    return Calibration(
        labels=tuple(labels),
        temperatures=tuple(round(float(value), 4) for value in temperatures),
        before=measure_clips("calibration_error", before, seed),
        after=measure_clips("calibration_error", after, seed),
        rate=rate,
        thresholds=choose_thresholds(after, mapping, labels, rate),
        folds=folds,
    )


def with_temperatures(score: ClipScore, temperatures: Floats, *, multi_label: bool) -> ClipScore:
    """Return the clip as it would be with other temperatures of every view."""
    rows = [apply_temperatures(row, temperatures, multi_label=multi_label) for row in _views(score)]
    return ClipScore.of(score.sample, score.people, rows, score.view)


def _views(score: ClipScore) -> Sequence[FloatArray]:
    return score.over_time or [row[None] for row in score.subjects]


def fit_temperatures(
    scores: Sequence[ClipScore], mapping: LabelMapping, *, multi_label: bool
) -> Floats:
    """Fit a temperature per class of the data: the likelihood of the truth, with a prior.

    The temperature is applied where inference applies it: to every view, before they are averaged
    over time and the best subject is taken. Labels that count as one class share theirs.

    Args:
        scores: of clips with scores, at least one.
        mapping: of their labels.
        multi_label: the scores are independent of each other.

    Returns:
        float64 (M,).
    """
    problem = _Likelihood(scores, mapping, multi_label=multi_label)
    classes, of_label = len(mapping.classes), np.array(mapping.class_of_score)

    def cost(logs: Floats) -> float:
        spread = ((logs - logs.mean()) ** 2).sum() / (2 * LOG_SPREAD**2)
        return problem.loss(np.exp(logs)[of_label]) + float(spread)

    found = minimize(
        cost,
        np.zeros(classes),
        method="L-BFGS-B",
        bounds=[LOG_RANGE] * classes,
        options={"eps": LOG_STEP},
    )
    return np.asarray(np.exp(found.x)[of_label])


class _Likelihood:
    """The log loss of clips as a function of the temperatures of labels."""

    def __init__(
        self, scores: Sequence[ClipScore], mapping: LabelMapping, *, multi_label: bool
    ) -> None:
        views = [row for score in scores for row in _views(score)]
        self._multi_label, self._quiet = multi_label, mapping.background
        self._rows = np.concatenate(views)
        counts = np.array([len(view) for view in views])
        self._first_view, self._counts = np.cumsum(counts) - counts, counts[:, None]
        subjects = np.array([len(score.subjects) for score in scores])
        self._first_subject = np.cumsum(subjects) - subjects
        self._members = np.eye(len(mapping.classes))[list(mapping.class_of_score)]  # (M, K)
        self._truth = np.stack([mapping.truth(score.sample.labels) for score in scores])

    def loss(self, temperatures: Floats) -> float:
        """Sum the negative logarithms of the probability of the truth."""
        rows = apply_temperatures(self._rows, temperatures, multi_label=self._multi_label)
        means = np.add.reduceat(rows, self._first_view, axis=0) / self._counts
        if self._multi_label:
            classes = np.stack([means[:, of > 0].max(axis=1) for of in self._members.T], axis=1)
        else:
            classes = means @ self._members
        best = np.maximum.reduceat(classes, self._first_subject, axis=0)
        if self._quiet is not None:
            least = np.minimum.reduceat(classes[:, self._quiet], self._first_subject)
            best[:, self._quiet] = least
        if self._multi_label:
            safe = best.clip(LEAST_SCORE, 1 - LEAST_SCORE)
            return float(-np.where(self._truth, np.log(safe), np.log1p(-safe)).sum())
        shares = (best / best.sum(axis=1, keepdims=True)).clip(LEAST_SCORE, 1.0)
        return float(-np.log((shares * self._truth).sum(axis=1)).sum())


def choose_thresholds(
    clips: ScoredClips, mapping: LabelMapping, labels: Sequence[str], rate: float
) -> tuple[ChosenThreshold, ...]:
    """Choose the lowest start threshold per label that keeps a rate of false alarms.

    Args:
        clips: out-of-fold scores; a clip in which no person is tracked reaches nothing.
        mapping: of the labels.
        labels: of the model.
        rate: share of the clips without the action that may reach it.

    Returns:
        One per label that the data has enough clips with and without of.
    """
    chosen = []
    for label in labels:
        if label not in mapping.classes or clips.classes.index(label) == mapping.background:
            continue
        column = clips.classes.index(label)
        true, scores = clips.truth[:, column], clips.scores[:, column].astype(np.float64)
        without, with_it = np.sort(scores[~true])[::-1], scores[true]
        if len(with_it) < LEAST_WITH or len(without) < LEAST_WITHOUT:
            continue
        highest_refused = without[int(rate * len(without) + 1e-9)] if rate < 1 else 0.0
        start = round(float(np.floor(highest_refused / STEP) + 1) * STEP, 3)
        if start > 1:
            continue  # clips without it have the highest score there is
        false_alarms, found = int((without >= start).sum()), int((with_it >= start).sum())
        chosen.append(
            ChosenThreshold(
                label=label,
                start=start,
                end=round(start * END_RATIO, 3),
                false_alarms=false_alarms,
                without=len(without),
                at_most=highest_rate(false_alarms, len(without)),
                found=found,
                with_it=len(with_it),
            )
        )
    return tuple(chosen)


def highest_rate(count: int, of: int) -> float:
    """Return the rate that `count` of `of` rule out with 95 % certainty (Clopper-Pearson)."""
    return 1.0 if count == of else float(beta.ppf(CONFIDENCE, count + 1, of - count))


def decision_of(
    calibration: Calibration, *, chosen_at: str, chosen_on: frozenset[str]
) -> DefaultDecision:
    """Return what the weights are to carry: temperatures, and thresholds where there are some.

    Args:
        calibration: of the model.
        chosen_at: UTC.
        chosen_on: fingerprints of the videos.
    """
    chosen = {each.label: each for each in calibration.thresholds}
    labels = {}
    for label, temperature in zip(calibration.labels, calibration.temperatures, strict=True):
        one = chosen.get(label)
        labels[label] = LabelDecision(
            start_threshold=None if one is None else one.start,
            end_threshold=None if one is None else one.end,
            temperature=temperature,
            chosen_for="" if one is None else one.describe(calibration.rate),
        )
    return DefaultDecision(labels=labels, chosen_at=chosen_at, chosen_on=tuple(sorted(chosen_on)))
