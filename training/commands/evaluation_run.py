"""One run of `evaluate`: from what the user asked for to results, tables and files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from pipeline.components import build_detector, choose_device
from pipeline.config.schema import PipelineConfig
from pipeline.errors import ConfigError, SourceError
from pipeline.sources.file_decoder import DecodeError
from pipeline.tracker_parts import reattach_spec, tracker_factory
from training.commands.cross_validation import cross_validate
from training.commands.evaluate_data import (
    evaluate_clip_samples,
    evaluate_everyday_samples,
    evaluate_video_samples,
)
from training.commands.evaluate_request import EvaluateRequest
from training.commands.registered_evaluation import RegisteredEvaluation
from training.console import ProgressPrinter
from training.evaluation.calibration import Calibration, calibrate
from training.evaluation.evaluated_model import EvaluatedModel
from training.evaluation.everyday import read_everyday
from training.evaluation.observed_model import ObservedModel
from training.labels.label_files import read_samples
from training.labels.samples import DataError, Sample
from training.report.negatives import print_background, print_everyday
from training.report.tables import (
    print_calibration,
    print_clips,
    print_events,
    print_folds,
    print_history,
)
from training.report.write import (
    Origin,
    Results,
    write_json,
    write_report,
    write_rules,
    write_weights,
)

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
        clips = [] if request.folds is not None else _samples(request.data, request)
        return cls(clips, _samples(request.events, request), everyday)


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
    outputs = request.json_file, request.report, request.rules_file, request.weights_file
    for path in outputs:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
    if request.observations:
        return _evaluate_observations(request, config, given.events, out, err)
    return _evaluate_model(request, config, project, given, out, err)


def _evaluate_model(
    request: EvaluateRequest,
    config: PipelineConfig,
    project: Path,
    given: _Given,
    out: Console,
    err: Console,
) -> bool:
    """Evaluate the configured model, or the folds of a cross-validation."""
    if request.weights_file is not None and config.recognizer.labels is not None:
        raise ConfigError(
            "--write-weights keeps the labels that the weights have: without recognizer.labels "
            "(`convert --labels` writes weights with others)"
        )
    registered = RegisteredEvaluation(request, config, project)
    model = EvaluatedModel(config, project, request.cache, raw=request.calibrates)
    folds = None
    try:
        if request.folds is not None:
            folds = cross_validate(request, request.folds, config, project, err)
        with ProgressPrinter(err) as progress:
            results = _evaluate(request, model, given, progress)
    except KeyboardInterrupt:
        err.print(f"stopped; what was cut and scored so far is kept in {request.cache}")
        if request.folds is not None:
            err.print(f"and folds in {request.folds.output}; the same command continues")
        raise
    if folds is not None:
        results = replace(
            results, clips=folds.pooled, folds=folds, left_out=(*folds.left_out, *results.left_out)
        )
    results = replace(results, calibration=_calibration(results, request, model))
    results = replace(results, history=registered.finish(results))
    _print(results, request, out)
    _write(results, request, model)
    return bool(results.left_out)


def _evaluate_observations(
    request: EvaluateRequest,
    config: PipelineConfig,
    samples: Sequence[Sample],
    out: Console,
    err: Console,
) -> bool:
    """Evaluate the events of kept observations; the register is of videos, and they are not."""
    model = ObservedModel(request.observations, config)
    with ProgressPrinter(err) as progress:
        events, left_out = evaluate_video_samples(samples, request, model, progress)
    print_events(out, events)
    results = Results(None, None, events, None, None, None, tuple(left_out))
    if request.json_file is not None:
        origin = Origin(request.command, request.data, request.split, request.through_pipeline)
        write_json(request.json_file, results, origin, model)
    if request.rules_file is not None:
        write_rules(request.rules_file, events, model)
    return bool(left_out)


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


def _calibration(
    results: Results, request: EvaluateRequest, model: EvaluatedModel
) -> Calibration | None:
    """Fit temperatures and choose thresholds, where it was asked for."""
    if results.clips is None or not request.calibrates:
        return None
    spec = model.spec if results.folds is None else results.folds.spec
    if request.weights_file is not None and model.labels != spec.labels:
        raise ConfigError(
            f"--write-weights: the labels of {model.config.recognizer.weights} are "
            f"{', '.join(model.labels)}, those of the folds {', '.join(spec.labels)}; name "
            "weights that were trained on the same labels with --model (the folds are kept)"
        )
    return calibrate(
        results.clips.scores,
        results.clips.mapping,
        spec.labels,
        multi_label=spec.multi_label,
        rate=request.false_alarm_share,
        seed=request.seed,
    )


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
    _print_clips(results, out)
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
    for history in results.history:
        print_history(out, history)


def _print_clips(results: Results, out: Console) -> None:
    if results.clips is not None:
        print_clips(out, results.clips)
    if results.folds is not None:
        print_folds(out, results.folds)
    if results.calibration is not None:
        print_calibration(out, results.calibration)


def _write(results: Results, request: EvaluateRequest, model: EvaluatedModel) -> None:
    origin = Origin(
        request.command, request.data, request.split, request.through_pipeline, request.whole_frame
    )
    if request.json_file is not None:
        write_json(request.json_file, results, origin, model)
    if request.report is not None:
        write_report(request.report, results, origin, model)
    if request.weights_file is not None:
        write_weights(request.weights_file, results, model)
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
            reattach_spec(config.tracker),
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
