"""A training run from labels to a model that the pipeline takes, on one page."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from lightning_fabric import Fabric
from rich.console import Console

from models.slowfast.recognizer3d import Recognizer3D
from pipeline.components import choose_device, find_file
from pipeline.errors import ConfigError, PipelineError
from training.config import TrainConfig
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
from training.fitting.finish import finish, origin_of
from training.fitting.job_parts import epoch_plan, mirror_rule, trainer_spec
from training.fitting.output_folder import open_output
from training.fitting.sanity import overfit_ten_clips
from training.fitting.starting_point import (
    build_architecture,
    fit_input,
    load_checkpoint,
    with_classes,
)
from training.fitting.worker import TrainingJob, run_job

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
