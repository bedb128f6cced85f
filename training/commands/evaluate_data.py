"""Evaluate a model on labelled clips and long videos."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path

from training.commands.evaluate_request import EvaluateRequest
from training.console import ProgressPrinter
from training.evaluation.background_clips import (
    BackgroundEvaluation,
    judge_background,
    label_answers,
)
from training.evaluation.clip_results import ClipEvaluation, ClipScore
from training.evaluation.clips import evaluate_clips
from training.evaluation.evaluated_model import EvaluatedModel
from training.evaluation.event_scorer import EventScorer
from training.evaluation.everyday import EverydayEvaluation, evaluate_everyday
from training.evaluation.labelled_videos import score_labelled_videos
from training.evaluation.videos import (
    EventEvaluation,
    actions_to_evaluate,
    checked_actions,
    evaluate_events,
)
from training.labels.samples import DataError, Sample
from training.metrics.event_metrics import rate_at_most
from training.metrics.label_mapping import LabelMapping, map_labels, numbered_aliases

log = logging.getLogger(__name__)


def evaluate_clip_samples(
    samples: Sequence[Sample],
    request: EvaluateRequest,
    model: EvaluatedModel,
    progress: ProgressPrinter,
) -> tuple[ClipEvaluation, BackgroundEvaluation, list[str]]:
    """Score labelled clips.

    Returns:
        The evaluation, what it does not show of background, and what could not be read.

    Raises:
        DataError: if the labels cannot be used, or nothing could be read.
    """
    mapping = map_samples(samples, request.aliases, model, label_file=request.label_file)
    scores: list[ClipScore] = []
    left_out: list[str] = []
    items = model.score_clips(
        samples,
        progress,
        through_pipeline=request.through_pipeline,
        whole_frame=request.whole_frame,
    )
    for item in items:
        if isinstance(item, ClipScore):
            scores.append(item)
        else:
            log.error("skipped: %s", item)
            left_out.append(str(item))
        progress.show("clips", len(scores) + len(left_out), len(samples))
    if not scores:
        raise DataError(f"{request.data}: none of its {len(samples)} clips could be read")
    evaluation = evaluate_clips(
        scores, mapping, model_multi_label=model.multi_label, seed=request.seed
    )
    answers = label_answers(scores, model.labels, model.background)
    starts = None
    if request.whole_frame is None:  # whose views are no scores of anybody over time
        starts = judge_background(scores, mapping, model.labels, model.policy)
    return evaluation, BackgroundEvaluation(answers, starts), left_out


def evaluate_video_samples(
    samples: Sequence[Sample],
    request: EvaluateRequest,
    model: EventScorer,
    progress: ProgressPrinter,
) -> tuple[EventEvaluation, list[str]]:
    """Score long videos, evaluate the events in them and, on request, search rules.

    Returns:
        The evaluation, and what could not be read.

    Raises:
        DataError: if the labels cannot be used, or nothing could be read.
    """
    mapping = map_samples(
        samples, request.aliases, model, merge_predictions=False, label_file=request.label_file
    )
    policy = model.event_policy
    actions = actions_to_evaluate(mapping, policy, request.actions)
    videos, unreadable = score_labelled_videos(
        samples, mapping, lambda path: model.score_video(path, progress)
    )
    left_out = [f"{failure.path}: {failure.reason}" for failure in unreadable]
    for failure in left_out:
        log.error("skipped: %s", failure)
    if not videos:
        raise DataError(f"{request.events}: none of its videos could be read")
    tries = count(1)
    evaluation = evaluate_events(
        videos,
        mapping,
        policy,
        actions,
        iou=request.iou,
        false_alarms_per_hour=request.false_alarms_per_hour,
        tried=lambda action: progress.show(f"rules tried, now of {action}", next(tries), 0),
    )
    _warn_of_limits(evaluation)
    return evaluation, left_out


def evaluate_everyday_samples(
    samples: Sequence[Sample],
    request: EvaluateRequest,
    model: EvaluatedModel,
    progress: ProgressPrinter,
) -> tuple[EverydayEvaluation, list[str]]:
    """Run the pipeline over everyday video and count its false alarms.

    Returns:
        The evaluation, and what could not be read.

    Raises:
        DataError: if --action names no action of the model, or nothing could be read.
    """
    policy = model.components.policy
    evaluation, left_out = evaluate_everyday(
        samples,
        lambda path: model.score_video(path, progress),
        policy,
        checked_actions(policy, request.actions) or tuple(policy.rules),
        aliases=request.aliases,
        span_s=model.components.clip_spec.span_s,
    )
    for failure in left_out:
        log.error("skipped: %s", failure)
    if not evaluation.result.negatives and not evaluation.too_short:
        raise DataError(f"{request.everyday}: none of its videos could be read")
    return evaluation, left_out


def _warn_of_limits(evaluation: EventEvaluation) -> None:
    target = evaluation.false_alarms_per_hour
    if target is None:
        return
    for action in evaluation.actions:
        if action.choice is not None and not action.choice.reached:
            log.warning("%s: no rule reaches this false-alarm rate", action.action)
    at_least = rate_at_most(0, evaluation.camera_hours)
    if at_least is not None and at_least > target:
        log.warning(
            "%.2f camera hours are too few to prove %g false alarms per hour: even without "
            "one, up to %.3g per hour would be possible; it takes %.3g hours",
            evaluation.camera_hours,
            target,
            at_least,
            at_least * evaluation.camera_hours / target if target else float("inf"),
        )


def map_samples(
    samples: Sequence[Sample],
    aliases: Mapping[str, str],
    model: EventScorer,
    *,
    merge_predictions: bool = True,
    label_file: Path | None = None,
) -> LabelMapping:
    """Decide how labels are counted, and log what is not plain; see `map_labels`.

    Raises:
        DataError: if a label cannot be counted.
    """
    labels = [sample.labels for sample in samples]
    numbered = {}
    if label_file is None:
        numbered = numbered_aliases(labels, model.labels)
    if numbered:
        first = min(numbered, key=lambda label: model.labels.index(numbered[label]))
        log.warning(
            "the numbers of %d labels are taken as those of the model's, from 0: %s is %s; "
            "--labels FILE names them otherwise",
            len(numbered),
            first,
            numbered[first],
        )
    mapping = map_labels(
        labels,
        model.labels,
        model.background,
        {**numbered, **aliases},
        merge_predictions=merge_predictions,
    )
    for warning in mapping.warnings():
        log.warning("%s", warning)
    return mapping
