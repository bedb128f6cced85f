"""A training run from labels to a model that the pipeline takes, on one page."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from rich.console import Console

from models.action_recognizer import ActionRecognizer
from models.checkpoint import load_recognizer, save_recognizer
from models.recognizer3d import Recognizer3D
from pipeline.errors import ConfigError, PipelineError
from pipeline.parts import choose_device, find_file
from training.clip_cache import CutSpec
from training.compute import choose_precision, make_fabric
from training.config import TrainConfig
from training.job_parts import epoch_plan, mirror_rule, trainer_spec
from training.output_folder import open_output
from training.people_finder import ConfiguredPeopleFinder
from training.preparation import Prepared
from training.run_report import RunReport, SplitReport, report_split
from training.run_state import BEST, MODEL, STATE, RunState
from training.samples import Split
from training.sanity import overfit_ten_clips
from training.starting_point import build_architecture, fit_input, load_checkpoint, with_classes
from training.training_data import (
    LabelledData,
    cut_people,
    identity_of,
    load_labels,
    tracks_of,
)
from training.training_job import TrainingJob, run_job
from training.training_run import best_model
from training.validation import score_samples

HELD_OUT: tuple[Split, ...] = ("val", "test")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TrainRequest:
    """What the user asked for, beside the configuration."""

    data: tuple[Path, ...]
    output: Path
    label_file: Path | None
    videos: Path | None
    sanity: bool
    command: str  # as it was typed


def train(request: TrainRequest, config: TrainConfig, project: Path, console: Console) -> bool:
    """Train a recognizer, or try whether that can work.

    Args:
        request: data and output.
        config: everything else.
        project: where relative paths of the configuration may lie.
        console: for progress.

    Returns:
        True if it is done, False if it was stopped and can go on.

    Raises:
        PipelineError: if data, configuration or network cannot be trained with.
    """
    device = choose_device(config.device)
    data = load_labels(
        request.data,
        config.data,
        label_file=request.label_file,
        videos=request.videos,
        seed=config.loop.seed,
    )
    log.info("%s", data.describe())
    model = _starting_point(config, data, request.output, project)
    mirror_rule(config.augmentation, data.labels)  # told before the long part
    if not (request.sanity or open_output(request.output, config, request.command)):
        log.info("a new run in %s, from %s on %s", request.output, _origin(config), device)
    prepared = _prepare(config, data, model, project, device, console)
    job = TrainingJob(
        config,
        model,
        tracks_of(prepared, "train"),
        tracks_of(prepared, "val"),
        identity_of(prepared.tracks, data.labels),
        request.output,
    )
    if request.sanity:
        _try_ten_clips(job, device, console)
        return True
    if not _launch(job, device):
        return False
    _finish(job, data, prepared, device)
    return True


def _prepare(
    config: TrainConfig,
    data: LabelledData,
    model: Recognizer3D,
    project: Path,
    device: str,
    console: Console,
) -> Prepared:
    section = config.data
    cut = CutSpec.of(model.input_spec, fps=section.fps, min_track_share=section.min_track_share)
    people = ConfiguredPeopleFinder(config.detector, config.tracker, project, device)
    return cut_people(data, cut, section.cache, people, console)


def _starting_point(
    config: TrainConfig, data: LabelledData, output: Path, project: Path
) -> Recognizer3D:
    section = config.model
    torch.manual_seed(config.loop.seed)
    if section.architecture is not None:
        model = build_architecture(section.architecture)
    else:
        model = load_checkpoint(find_file(section.weights, project))
    spec = fit_input(
        model.input_spec,
        config.input.model_dump(),
        name=section.name or output.resolve().name,
        multi_label=data.multi_label,
    )
    return with_classes(model, spec, data.labels, dropout=section.dropout)


def _origin(config: TrainConfig) -> str:
    section = config.model
    return section.weights if section.architecture is None else f"scratch ({section.architecture})"


def _launch(job: TrainingJob, device: str) -> bool:
    """Train in as many processes as there are devices."""
    chosen = torch.device(device)
    try:
        precision = choose_precision(job.config.loop.precision, chosen, job.model)
        fabric = make_fabric(chosen, job.config.loop.devices, precision)
    except ValueError as error:
        raise ConfigError(f"loop: {error}") from error
    try:
        return bool(fabric.launch(partial(run_job, job=job)))
    except FloatingPointError as error:
        raise PipelineError(str(error)) from error


def _try_ten_clips(job: TrainingJob, device: str, console: Console) -> None:
    chosen = torch.device(device)
    precision = choose_precision(job.config.loop.precision, chosen, job.model)
    fabric = make_fabric(chosen, 1, precision)
    plan = epoch_plan(job.config, job.learned)
    spec = trainer_spec(job.config, plan, job.learned, job.model.input_spec.labels)
    try:
        steps = overfit_ten_clips(fabric, job.model, job.learned, spec, console)
    except FloatingPointError as error:
        raise PipelineError(str(error)) from error
    log.info("ten clips were overfitted in %d steps: data and network go together", steps)


def _finish(job: TrainingJob, data: LabelledData, prepared: Prepared, device: str) -> None:
    """Write the model, measure the file as it was written, report."""
    output = job.output
    state, _ = RunState.load(output)
    unfinished = output / f"unfinished.{MODEL}"
    save_recognizer(unfinished, best_model(job.model, output), half=job.config.model.half)
    recognizer = ActionRecognizer(load_recognizer(unfinished), device=device)
    report = RunReport(
        model=job.model.input_spec.name,
        started_from=_origin(job.config),
        labels=data.labels,
        multi_label=data.multi_label,
        samples=_counts(prepared),
        whole_frames=len({track.sample for track in prepared.tracks if track.whole_frame}),
        left_out=tuple(str(failure) for failure in prepared.failures),
        epochs=state.epoch,
        best_epoch=state.best_epoch + 1,
        splits=_measure(recognizer, data, prepared),
    )
    report.write(output)
    unfinished.replace(output / MODEL)
    for name in (STATE, BEST):  # with the model there is nothing to go on with
        (output / name).unlink()


def _measure(
    recognizer: ActionRecognizer, data: LabelledData, prepared: Prepared
) -> tuple[SplitReport, ...]:
    reports = []
    for split in HELD_OUT:
        tracks = tracks_of(prepared, split)
        if tracks:
            found = score_samples(recognizer, tracks)
            reports.append(report_split(split, found, data.labels, multi_label=data.multi_label))
            log.info("%s: %s", split, reports[-1].validation.describe())
    return tuple(reports)


def _counts(prepared: Prepared) -> Counter[tuple[str, str]]:
    """Usable samples by split and label."""
    used = dict.fromkeys(track.sample for track in prepared.tracks)
    return Counter((str(one.split), label) for one in used for label in one.labels)
