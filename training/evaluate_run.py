"""One run of `evaluate`: from what the user asked for to tables, JSON, report and rules."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from pipeline.config import PipelineConfig
from training.clip_evaluation import ClipEvaluation, evaluate_clips
from training.command_progress import CommandProgress
from training.evaluated_model import EvaluatedModel
from training.evaluation_json import clips_document, events_document, to_json
from training.evaluation_tables import print_clips, print_events
from training.event_evaluation import (
    EventEvaluation,
    actions_to_judge,
    evaluate_events,
    watch_videos,
)
from training.label_files import read_samples
from training.label_mapping import LabelMapping, map_labels
from training.mistakes import clip_pictures, event_pictures
from training.report import ClipPage, EventPage, ReportHead, render_report
from training.rule_config import rules_yaml
from training.samples import DataError, Sample, Split
from training.scored_clip import ClipScore

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EvaluateRequest:
    """What the user asked for, beside the configuration."""

    data: Path | None  # labelled clips
    events: Path | None  # true intervals of long videos
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
        ConfigError: if the labels, the model or an option cannot be used.
    """
    clip_samples = _samples(request.data, request)
    event_samples = _samples(request.events, request)
    for path in (request.json_file, request.report, request.rules_file):
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
    model = EvaluatedModel(config, project, request.cache)
    clips, events, failures = None, None, []
    if clip_samples:
        clips, left_out = _evaluate_clips(clip_samples, request, model, err)
        failures += left_out
        print_clips(out, clips)
    if event_samples:
        events, left_out = _evaluate_events(event_samples, request, model, err)
        failures += left_out
        print_events(out, events)
    _write(request, model, clips, events, failures)
    return bool(failures)


def _samples(source: Path | None, request: EvaluateRequest) -> list[Sample]:
    """The samples of the split; none without a source."""
    if source is None:
        return []
    samples = read_samples(source, label_file=request.label_file)
    if request.split is None:
        return samples
    chosen = [sample for sample in samples if sample.split == request.split]
    if not chosen:
        found = ", ".join(sorted({str(sample.split) for sample in samples if sample.split}))
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
    samples: Sequence[Sample], request: EvaluateRequest, model: EvaluatedModel, err: Console
) -> tuple[ClipEvaluation, list[str]]:
    mapping = _mapping(samples, request, model)
    scores, failures = [], []
    with CommandProgress(err) as progress:
        for item in model.score_clips(samples, progress, through_pipeline=request.through_pipeline):
            if isinstance(item, ClipScore):
                scores.append(item)
            else:
                log.error("left out: %s", item)
                failures.append(str(item))
            progress.show("clips", len(scores) + len(failures), len(samples))
    if not scores:
        raise DataError(f"{request.data}: none of its {len(samples)} clips could be read")
    evaluation = evaluate_clips(
        scores, mapping, model_multi_label=model.multi_label, seed=request.seed
    )
    return evaluation, failures


def _evaluate_events(
    samples: Sequence[Sample], request: EvaluateRequest, model: EvaluatedModel, err: Console
) -> tuple[EventEvaluation, list[str]]:
    mapping = _mapping(samples, request, model)
    actions = actions_to_judge(mapping, model.parts.policy, request.actions)
    tries = 0

    with CommandProgress(err) as progress:
        videos, unreadable = watch_videos(
            samples, mapping, lambda path: model.watch(path, progress)
        )
        for failure in unreadable:
            log.error("left out: %s: %s", failure.path, failure.reason)
        if not videos:
            raise DataError(f"{request.events}: none of its videos could be read")

        def tried(action: str) -> None:
            nonlocal tries
            tries += 1
            progress.show(f"rules tried, now of {action}", tries, 0)

        evaluation = evaluate_events(
            videos,
            mapping,
            model.parts.policy,
            actions,
            iou=request.iou,
            false_alarms_per_hour=request.false_alarms_per_hour,
            tried=tried,
        )
    return evaluation, [f"{failure.path}: {failure.reason}" for failure in unreadable]


def _write(
    request: EvaluateRequest,
    model: EvaluatedModel,
    clips: ClipEvaluation | None,
    events: EventEvaluation | None,
    failures: Sequence[str],
) -> None:
    if request.json_file is not None:
        document = {
            "model": model.document(),
            "split": request.split,
            "through_pipeline": request.through_pipeline,
            "left_out": list(failures),
            **({} if clips is None else clips_document(clips)),
            **({} if events is None else {"events": events_document(events)}),
        }
        request.json_file.write_text(to_json(document), encoding="utf-8")
        log.info("JSON: %s", request.json_file)
    if request.report is not None:
        request.report.write_text(_report(request, model, clips, events, failures), "utf-8")
        log.info("report: %s", request.report)
    if request.rules_file is not None and events is not None:
        text = rules_yaml(events, model.parts.policy, model.name)
        request.rules_file.write_text(text, encoding="utf-8")
        model.check_rules(request.rules_file)
        log.info("rules: %s; use them with --config %s", *[request.rules_file] * 2)


def _report(
    request: EvaluateRequest,
    model: EvaluatedModel,
    clips: ClipEvaluation | None,
    events: EventEvaluation | None,
    failures: Sequence[str],
) -> str:
    notes = [
        note
        for evaluation in (clips, events)
        if evaluation is not None
        for note in evaluation.mapping.warnings()
    ]
    head = ReportHead(
        model=model.name,
        command=request.command,
        data=str(request.data),
        split=request.split,
        how=_how(through_pipeline=request.through_pipeline),
        notes=tuple(dict.fromkeys(notes)),
        failures=tuple(failures),
    )
    clip_page = None if clips is None else ClipPage(clips, clip_pictures(clips, model.spec))
    event_page = None if events is None else EventPage(events, event_pictures(events))
    return render_report(head, clip_page, event_page)


def _how(*, through_pipeline: bool) -> str:
    if through_pipeline:
        return (
            "Scores are averaged over what detector, tracker and clip cutting of the live pipeline "
            "make of each file; a file in which they find nobody counts as background."
        )
    return (
        "Scores are averaged over every tracked person every half second; where nobody is tracked, "
        "the whole picture is shown."
    )
