"""One run of `evaluate`: from what the user asked for to results, tables and files."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from rich.console import Console

from pipeline.config import PipelineConfig
from training.clip_evaluation import ClipEvaluation, evaluate_clips
from training.command_progress import CommandProgress
from training.evaluate_outputs import Origin, Results, write_json, write_rules
from training.evaluated_model import EvaluatedModel
from training.evaluation_tables import print_clips, print_events
from training.event_evaluation import (
    EventEvaluation,
    actions_to_judge,
    evaluate_events,
    watch_videos,
)
from training.event_metrics import rate_at_most
from training.label_files import read_samples
from training.label_mapping import LabelMapping, map_labels
from training.samples import DataError, Sample, Split
from training.scored_clip import ClipScore

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EvaluateRequest:
    """What the user asked for, beside the configuration."""

    data: Path | None  # labelled clips
    events: Path | None  # true intervals of long videos
    tracking: Path | None  # MOTChallenge ground truth of `video`
    video: Path | None
    detection: Path | None  # images and labels in YOLO's format
    label_file: Path | None  # names of numbered labels
    through_pipeline: bool
    split: Split | None  # None: all
    aliases: Mapping[str, str]  # label of the data -> label of the model
    actions: tuple[str, ...]  # whose events are judged; empty: those that are labelled
    iou: float
    false_alarms_per_hour: float | None  # None: no rules are searched
    seed: int
    cache: Path
    json_file: Path | None
    report: Path | None
    rules_file: Path | None
    command: str  # as it was typed, for the report


def run_evaluation(
    request: EvaluateRequest, config: PipelineConfig, project: Path, out: Console, err: Console
) -> bool:
    """Evaluate, print the tables and write what was asked for.

    Args:
        request: data and outputs.
        config: the pipeline's configuration.
        project: where the files that the configuration names relatively may lie.
        out: for the tables.
        err: for the progress.

    Returns:
        True if something could not be read and was left out.

    Raises:
        PipelineError: if the labels, the model or an option cannot be used.
    """
    clip_samples = _samples(request.data, request)
    event_samples = _samples(request.events, request)
    for path in (request.json_file, request.report, request.rules_file):
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
    model = EvaluatedModel(config, project, request.cache)
    clips = events = tracking = detection = None
    left_out: list[str] = []
    with CommandProgress(err) as progress:
        if clip_samples:
            clips, unreadable = _evaluate_clips(clip_samples, request, model, progress)
            left_out += unreadable
        if event_samples:
            events, unreadable = _evaluate_events(event_samples, request, model, progress)
            left_out += unreadable
        # What takes long to load is loaded where it is asked for.
        if request.tracking is not None and request.video is not None:
            from training.evaluate_people import score_tracker

            tracking = score_tracker(request.tracking, request.video, config, project, progress)
        if request.detection is not None:
            from training.evaluate_people import score_detector

            detection = score_detector(request.detection, config, project, progress)
    results = Results(clips, events, tracking, detection, tuple(left_out))
    _print(results, request, out)
    _write(results, request, model)
    return bool(left_out)


def _samples(source: Path | None, request: EvaluateRequest) -> list[Sample]:
    """The samples of the split; none without a source."""
    if source is None:
        return []
    samples = read_samples(source, label_file=request.label_file)
    if request.split is None:
        return samples
    chosen = [sample for sample in samples if sample.split == request.split]
    if not chosen:
        found = ", ".join(sorted({sample.split for sample in samples if sample.split}))
        raise DataError(
            f"{source}: no sample is in the split {request.split}; "
            f"{f'there are {found}' if found else 'it names no splits'}. Leave out --split for all"
        )
    return chosen


def _mapping(
    samples: Sequence[Sample], request: EvaluateRequest, model: EvaluatedModel
) -> LabelMapping:
    labels = [sample.labels for sample in samples]
    mapping = map_labels(labels, model.labels, model.background, request.aliases)
    for warning in mapping.warnings():
        log.warning("%s", warning)
    return mapping


def _evaluate_clips(
    samples: Sequence[Sample],
    request: EvaluateRequest,
    model: EvaluatedModel,
    progress: CommandProgress,
) -> tuple[ClipEvaluation, list[str]]:
    mapping = _mapping(samples, request, model)
    scores: list[ClipScore] = []
    left_out: list[str] = []
    for item in model.score_clips(samples, progress, through_pipeline=request.through_pipeline):
        if isinstance(item, ClipScore):
            scores.append(item)
        else:
            log.error("left out: %s", item)
            left_out.append(str(item))
        progress.show("clips", len(scores) + len(left_out), len(samples))
    if not scores:
        raise DataError(f"{request.data}: none of its {len(samples)} clips could be read")
    evaluation = evaluate_clips(
        scores, mapping, model_multi_label=model.multi_label, seed=request.seed
    )
    return evaluation, left_out


def _evaluate_events(
    samples: Sequence[Sample],
    request: EvaluateRequest,
    model: EvaluatedModel,
    progress: CommandProgress,
) -> tuple[EventEvaluation, list[str]]:
    mapping = _mapping(samples, request, model)
    policy = model.parts.policy
    actions = actions_to_judge(mapping, policy, request.actions)
    videos, unreadable = watch_videos(samples, mapping, lambda path: model.watch(path, progress))
    left_out = [f"{failure.path}: {failure.reason}" for failure in unreadable]
    for failure in left_out:
        log.error("left out: %s", failure)
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
            "%.2f camera hours are too few to be sure of %g false alarms per hour: even without "
            "one, up to %.3g per hour would be possible; it takes %.3g hours",
            evaluation.camera_hours,
            target,
            at_least,
            at_least * evaluation.camera_hours / target if target else float("inf"),
        )


def _print(results: Results, request: EvaluateRequest, out: Console) -> None:
    if results.clips is not None:
        print_clips(out, results.clips)
    if results.events is not None:
        print_events(out, results.events)
    if results.tracking is not None:
        out.print(results.tracking.to_table(str(request.video)))
    if results.detection is not None:
        out.print(results.detection.to_table(str(request.detection)))


def _write(results: Results, request: EvaluateRequest, model: EvaluatedModel) -> None:
    origin = Origin(request.command, request.data, request.split, request.through_pipeline)
    if request.json_file is not None:
        write_json(request.json_file, results, origin, model)
    if request.report is not None:
        from training.evaluate_report import write_report

        write_report(request.report, results, origin, model)
    if request.rules_file is not None and results.events is not None:
        write_rules(request.rules_file, results.events, model)
