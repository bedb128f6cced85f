"""One run of `evaluate`: from what the user asked for to results, tables and files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from pipeline.components import build_detector, choose_device, tracker_factory
from pipeline.config.schema import PipelineConfig
from pipeline.errors import ConfigError, SourceError
from pipeline.sources.file_decoder import DecodeError
from training.commands.evaluate_data import (
    evaluate_clip_samples,
    evaluate_everyday_samples,
    evaluate_video_samples,
)
from training.commands.evaluate_request import EvaluateRequest
from training.console import ProgressPrinter
from training.evaluation.evaluated_model import EvaluatedModel
from training.evaluation.everyday import read_everyday
from training.labels.label_files import read_samples
from training.labels.samples import DataError, Sample
from training.report.negatives import print_background, print_everyday
from training.report.tables import print_clips, print_events
from training.report.write import Origin, Results, write_json, write_report, write_rules

if TYPE_CHECKING:  # their packages take seconds to load
    from training.metrics.detection import DetectionScore
    from training.metrics.tracking import TrackingScore


@dataclass(frozen=True, slots=True)
class _Given:
    """The labelled data; empty where it was not asked for."""

    clips: Sequence[Sample]
    events: Sequence[Sample]
    everyday: Sequence[Sample]

    @classmethod
    def read(cls, request: EvaluateRequest) -> _Given:
        everyday: list[Sample] = []
        if request.everyday is not None:
            everyday = read_everyday(request.everyday, label_file=request.label_file)
        return cls(_samples(request.data, request), _samples(request.events, request), everyday)


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
        True if something could not be read and was skipped.

    Raises:
        PipelineError: if the labels, the model or an option cannot be used.
    """
    given = _Given.read(request)
    for path in (request.json_file, request.report, request.rules_file):
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
    model = EvaluatedModel(config, project, request.cache)
    try:
        with ProgressPrinter(err) as progress:
            results = _evaluate(request, model, given, progress)
    except KeyboardInterrupt:
        err.print(f"stopped; what was cut and scored so far is kept in {request.cache}")
        raise
    _print(results, request, out)
    _write(results, request, model)
    return bool(results.left_out)


def _evaluate(
    request: EvaluateRequest,
    model: EvaluatedModel,
    given: _Given,
    progress: ProgressPrinter,
) -> Results:
    clips = background = events = everyday = tracking = detection = None
    left_out: list[str] = []
    if given.clips:
        clips, background, unreadable = evaluate_clip_samples(given.clips, request, model, progress)
        left_out += unreadable
    if given.events:
        events, unreadable = evaluate_video_samples(given.events, request, model, progress)
        left_out += unreadable
    if given.everyday:
        everyday, unreadable = evaluate_everyday_samples(given.everyday, request, model, progress)
        left_out += unreadable
    if request.tracking is not None and request.video is not None:
        parts = model.config, model.project
        tracking = score_tracker(request.tracking, request.video, *parts, progress)
    if request.detection is not None:
        detection = score_detector(request.detection, model.config, model.project, progress)
    return Results(clips, background, events, everyday, tracking, detection, tuple(left_out))


def _samples(source: Path | None, request: EvaluateRequest) -> list[Sample]:
    """Read the samples of the chosen split; none without a source."""
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
            f"{f'there are {found}' if found else 'it names no splits'}. "
            "Without --split, all are used"
        )
    return chosen


def _print(results: Results, request: EvaluateRequest, out: Console) -> None:
    if results.clips is not None:
        print_clips(out, results.clips)
    if results.background is not None:
        print_background(out, results.background)
    if results.events is not None:
        print_events(out, results.events)
    if results.everyday is not None:
        print_everyday(out, results.everyday)
    if results.tracking is not None:
        out.print(results.tracking.to_table(str(request.video)))
    if results.detection is not None:
        out.print(results.detection.to_table(str(request.detection)))


def _write(results: Results, request: EvaluateRequest, model: EvaluatedModel) -> None:
    origin = Origin(
        request.command, request.data, request.split, request.through_pipeline, request.whole_frame
    )
    if request.json_file is not None:
        write_json(request.json_file, results, origin, model)
    if request.report is not None:
        write_report(request.report, results, origin, model)
    if request.rules_file is not None and results.events is not None:
        write_rules(request.rules_file, results.events, model)


def score_tracker(
    truth: Path, video: Path, config: PipelineConfig, project: Path, progress: ProgressPrinter
) -> TrackingScore:
    """Score the configured detector and tracker on a video with ground truth.

    Raises:
        ConfigError: if the ground truth cannot be used.
        SourceError: if the video cannot be read to its end.
    """
    from training.metrics.tracking import evaluate_tracking

    device = choose_device(config.device)
    for path in (truth, video):
        if not path.is_file():
            raise ConfigError(f"{path}: no such file")
    try:
        return evaluate_tracking(
            truth,
            video,
            build_detector(config.detector, project, device),
            tracker_factory(config.tracker, device),
            lambda frame: progress.show(f"frames of {video.name}", frame, 0),
        )
    except ValueError as error:
        raise ConfigError(str(error)) from error
    except DecodeError as error:
        raise SourceError(f"{video}: {error}") from error


def score_detector(
    folder: Path, config: PipelineConfig, project: Path, progress: ProgressPrinter
) -> DetectionScore:
    """Score the configured detector on labelled images.

    Average precision needs boxes of every confidence; recall and precision are reported at
    `detector.confidence`.

    Raises:
        ConfigError: if the folder or one of its files cannot be used.
    """
    from training.metrics.detection import LOW_CONFIDENCE, evaluate_detection

    section = config.detector.model_copy(update={"confidence": LOW_CONFIDENCE})
    detector = build_detector(section, project, choose_device(config.device))
    try:
        return evaluate_detection(
            folder,
            detector,
            confidence=config.detector.confidence,
            progress=lambda done, total: progress.show("images", done, total),
        )
    except (FileNotFoundError, ValueError) as error:
        raise ConfigError(str(error)) from error
