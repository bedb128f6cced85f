"""How good a model is on labelled clips: every number of the report that is about clips."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from models.boxes import FloatArray
from training.evaluation.clip_results import (
    CalibrationBin,
    ClassResult,
    ClipEvaluation,
    ClipScore,
    GroupResult,
    Measure,
    known,
)
from training.labels.samples import Sample
from training.metrics import clip_metrics as metrics
from training.metrics.best_subject import judge_by_best_subject
from training.metrics.clip_metrics import ScoredClips, Values, Weights, plain_weights
from training.metrics.label_mapping import LabelMapping
from training.metrics.resampling import interval

MEASURES: dict[str, Callable[[ScoredClips, Weights], Values]] = {
    "top1": lambda clips, weights: metrics.top_k(clips, weights, 1),
    "top5": lambda clips, weights: metrics.top_k(clips, weights, 5),
    "mean_class_accuracy": metrics.mean_class_accuracy,
    "mean_average_precision": metrics.mean_average_precision,
    "calibration_error": metrics.calibration_error,
    "area_under_curve": metrics.area_under_curve,
}


def evaluate_clips(
    scores: Sequence[ClipScore], mapping: LabelMapping, *, model_multi_label: bool, seed: int
) -> ClipEvaluation:
    """Compare predictions with the truth.

    Args:
        scores: one per labelled clip, at least one.
        mapping: how labels are counted.
        model_multi_label: its scores are independent of each other (sigmoid).
        seed: of the confidence intervals.
    """
    clips = scored_clips(scores, mapping, model_multi_label=model_multi_label)
    return ClipEvaluation(
        clips=clips,
        scores=tuple(scores),
        mapping=mapping,
        measures=tuple(measure_clips(name, clips, seed) for name in MEASURES),
        confusion=None if clips.multi_label else metrics.confusion(clips),
        per_class=_per_class(clips),
        per_group=_per_group(clips),
        calibration=_calibration(clips),
        seed=seed,
    )


def scored_clips(
    scores: Sequence[ClipScore], mapping: LabelMapping, *, model_multi_label: bool
) -> ScoredClips:
    """Collect truth and scores; a clip without a view is background, if the model has one.

    Args:
        scores: one per labelled clip, at least one.
        mapping: how labels are counted.
        model_multi_label: its scores are independent of each other (sigmoid).
    """
    multi_label = model_multi_label or any(len(score.sample.labels) > 1 for score in scores)
    sums = not model_multi_label
    classes = len(mapping.classes)
    table = np.zeros((len(scores), classes), np.float32)
    confidence = np.full(len(scores), np.nan, np.float32)
    for row, score in enumerate(scores):
        if score.scored:
            table[row], confidence[row] = _judged(score, mapping, sums=sums)
        elif mapping.background is not None:
            table[row, mapping.background] = 1.0
    answered = [score.scored or mapping.background is not None for score in scores]
    return ScoredClips(
        classes=mapping.classes,
        truth=np.stack([mapping.truth(score.sample.labels) for score in scores]),
        scores=table,
        answered=np.array(answered, np.bool_),
        confidence=confidence,
        groups=tuple(group_of(score.sample) for score in scores),
        multi_label=multi_label,
        background=mapping.background,
    )


def _judged(score: ClipScore, mapping: LabelMapping, *, sums: bool) -> tuple[FloatArray, float]:
    """Return the scores of the classes, float32 (K,), and the confidence of the answer.

    The confidence is the probability of the answer in the subject that decides: of an action
    where it is the highest, of the background where it is the lowest.
    """
    quiet = [] if mapping.background is None else [mapping.background]
    classes = judge_by_best_subject(np.stack([*map(mapping.best_scores, score.subjects)]), quiet)
    answer = int(classes.argmax())
    if not sums:
        return classes, float(classes[answer])
    total = np.stack([mapping.total_scores(row) for row in score.subjects])[:, answer]
    return classes, float(total.min() if answer in quiet else total.max())


def group_of(sample: Sample) -> str:
    """Return what a bootstrap draws together: the group, or the video where there is none."""
    return sample.group if sample.group is not None else str(Path(sample.path))


def measure_clips(name: str, clips: ScoredClips, seed: int) -> Measure:
    """Compute one of `MEASURES` with its interval; None where it is not defined."""
    if clips.multi_label and name == "mean_class_accuracy":
        return Measure(name, None, None)  # there is no single class to be right about
    if name == "top5" and len(clips.classes) <= 5:
        return Measure(name, None, None)  # always right
    if name == "area_under_curve" and (len(clips.classes) != 2 or clips.multi_label):
        return Measure(name, None, None)  # there is no single threshold

    def measure(weights: Weights) -> Values:
        return MEASURES[name](clips, weights)

    value = float(measure(plain_weights(clips))[0])
    return Measure(name, known(value), interval(measure, clips.groups, seed=seed))


def _per_class(clips: ScoredClips) -> tuple[ClassResult, ...]:
    ones = plain_weights(clips)
    recalls = metrics.class_recalls(clips, ones)[0]
    precisions = metrics.class_average_precisions(clips, ones)[0]
    results = []
    for number, label in enumerate(clips.classes):
        called = clips.predicted == number
        right = clips.truth[called, number]
        results.append(
            ClassResult(
                label=label,
                clips=int(clips.truth[:, number].sum()),
                recall=known(recalls[number]),
                precision=float(right.mean()) if len(right) else None,
                average_precision=known(precisions[number]),
            )
        )
    return tuple(results)


def _per_group(clips: ScoredClips) -> tuple[GroupResult, ...]:
    groups, hits = np.array(clips.groups), clips.hits()
    results = []
    for group in dict.fromkeys(clips.groups):
        mine = hits[groups == group]
        results.append(GroupResult(group, len(mine), float(mine.mean())))
    return tuple(sorted(results, key=lambda result: (result.top1, -result.clips)))


def _calibration(clips: ScoredClips) -> tuple[CalibrationBin, ...]:
    total, confidence, accuracy = metrics.calibration_bins(clips, plain_weights(clips))
    edges = np.linspace(0, 1, total.shape[1] + 1)
    return tuple(
        CalibrationBin(float(low), float(high), int(count), known(said), known(true))
        for low, high, count, said, true in zip(
            edges[:-1], edges[1:], total[0], confidence[0], accuracy[0], strict=True
        )
    )
