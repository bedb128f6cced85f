"""A training run from labels to a model that the pipeline takes, on one page."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from lightning_fabric import Fabric
from rich.console import Console

from models.checkpoints.checkpoint import load_recognizer, save_recognizer
from models.inference.action_recognizer import ActionRecognizer
from models.slowfast.recognizer3d import Recognizer3D
from pipeline.components import choose_device
from pipeline.config.shipped_files import find_file
from pipeline.errors import ConfigError, PipelineError
from training.config import NetworkConfig, TrainConfig
from training.crops.crop_cache import CutSpec
from training.crops.people_finder import ConfiguredPeopleFinder
from training.crops.preparation import Prepared
from training.crops.training_data import (
    LabelledData,
    cut_people,
    identity_of,
    load_labels,
    tracks_of,
)
from training.fitting.compute import choose_precision, make_fabric
from training.fitting.epochs import best_model
from training.fitting.run_report import RunReport, SplitReport, report_split
from training.fitting.run_state import BEST, MODEL, STATE, RunState, open_output
from training.fitting.sanity import overfit_ten_clips
from training.fitting.starting_point import (
    build_architecture,
    fit_input,
    load_checkpoint,
    with_classes,
)
from training.fitting.validation import score_samples
from training.fitting.worker import TrainingJob, epoch_plan, mirror_rule, run_job, trainer_spec
from training.labels.samples import Split

log = logging.getLogger(__name__)
HELD_OUT: tuple[Split, ...] = ("val", "test")


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
    # Mistakes are told before the long part.
    mirror_rule(config.augmentation, data.labels)
    fabric = _fabric(config, model, device, devices=1 if request.sanity else config.loop.devices)
    if not (request.sanity or open_output(request.output, config, request.command)):
        log.info("a new run in %s, from %s on %s", request.output, origin_of(config.model), device)
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
        _try_ten_clips(fabric, job, console)
        return True
    if not _launch(fabric, job):
        return False
    finish(job, data, prepared, device)
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
    cut = CutSpec.of(model.input_spec, fps=section.fps, min_track_fraction=section.min_track_share)
    people = ConfiguredPeopleFinder(config.detector, config.tracker, project, device)
    return cut_people(data, cut, section.cache, people, console)


def _starting_point(
    config: TrainConfig, data: LabelledData, output: Path, project: Path
) -> Recognizer3D:
    section = config.model
    torch.manual_seed(config.loop.seed)
    if section.architecture is not None:
        model = build_architecture(section.architecture, project)
    else:
        model = load_checkpoint(find_file(section.weights, project))
    spec = fit_input(
        model.input_spec,
        config.input.model_dump(),
        name=section.name or output.resolve().name,
        multi_label=data.multi_label,
    )
    return with_classes(model, spec, data.labels, dropout=section.dropout)


def _fabric(config: TrainConfig, model: Recognizer3D, device: str, *, devices: int) -> Fabric:
    chosen = torch.device(device)
    try:
        precision = choose_precision(config.loop.precision, chosen, model)
        return make_fabric(chosen, devices, precision)
    except ValueError as error:
        raise ConfigError(f"loop: {error}") from error


def _launch(fabric: Fabric, job: TrainingJob) -> bool:
    """Train in as many processes as there are devices."""
    try:
        return bool(fabric.launch(partial(run_job, job=job)))
    except FloatingPointError as error:
        raise PipelineError(str(error)) from error


def _try_ten_clips(fabric: Fabric, job: TrainingJob, console: Console) -> None:
    plan = epoch_plan(job.config, job.learned)
    spec = trainer_spec(job.config, plan, job.learned, job.model.input_spec.labels)
    try:
        steps = overfit_ten_clips(fabric, job.model, job.learned, spec, console)
    except FloatingPointError as error:
        raise PipelineError(str(error)) from error
    log.info("ten clips were overfitted in %d steps: data and network go together", steps)


def origin_of(section: NetworkConfig) -> str:
    """What the weights come from, for people."""
    return section.weights if section.architecture is None else f"scratch ({section.architecture})"


def finish(job: TrainingJob, data: LabelledData, prepared: Prepared, device: str) -> None:
    """Write the model, measure the file as it was written, report, and tidy up.

    Args:
        job: whose run is over.
        data: what was learned from.
        prepared: its people.
        device: for the measuring.
    """
    output = job.output
    state, _ = RunState.load(output)
    unfinished = output / f"unfinished.{MODEL}"
    save_recognizer(unfinished, best_model(job.model, output), half=job.config.model.half)
    recognizer = ActionRecognizer(load_recognizer(unfinished), device=device)
    report = RunReport(
        model=job.model.input_spec.name,
        started_from=origin_of(job.config.model),
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
