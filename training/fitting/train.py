"""A training run from labels to a model that the pipeline takes, on one page.

`train` prepares, starts one process per device, and writes the model; `run_process` is what each
of these processes does. Epochs are in `epochs`, single steps in `trainer`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from lightning_fabric import Fabric
from rich.console import Console

from models.checkpoints.checkpoint import load_recognizer, save_recognizer
from models.inference.action_recognizer import ActionRecognizer
from models.slowfast.recognizer3d import Recognizer3D
from models.slowfast.training_record import continued_record
from pipeline.components import choose_device
from pipeline.errors import ConfigError, PipelineError
from pipeline.runtime.shutdown import Shutdown, on_signals
from training.config import DataConfig, TrainConfig
from training.crops.clip_choice import ViewChoice
from training.crops.crop_cache import CachedTrack, CutSpec
from training.crops.people_finder import ConfiguredPeopleFinder
from training.crops.preparation import Prepared
from training.crops.training_data import (
    LabelledData,
    cut_people,
    identity_of,
    load_labels,
    tracks_of,
)
from training.fitting.clip_dataset import ClipDataset
from training.fitting.compute import choose_precision, make_fabric
from training.fitting.epoch_loader import EpochDraw, EpochLoader, EpochSampler
from training.fitting.epochs import EpochLoop, Plan, best_model
from training.fitting.progress import TrainingProgress
from training.fitting.registered_run import RunOrigin, run_entries
from training.fitting.run_report import RunReport, report_run
from training.fitting.run_state import BEST, MODEL, STATE, RunState, open_output
from training.fitting.sanity import overfit_ten_clips
from training.fitting.specs import epoch_plan, mirror_rule, trainer_spec, view_spec
from training.fitting.starting_point import (
    architecture_file,
    build_starting_point,
    describe_origin,
)
from training.fitting.trainer import Trainer
from training.labels.fingerprints import fingerprints_of
from training.register import Register

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TrainRequest:
    """What the user asked for, beside the configuration."""

    data: tuple[Path, ...]  # labels: files and folders
    output: Path  # folder of the run
    label_file: Path | None  # names of numbered labels
    videos: Path | None  # folder of relative paths; None: that of the labels
    sanity: bool  # only overfit ten clips
    command: str  # as it was typed
    register: Path | None = None  # where the use of the data is kept; None: nowhere


@dataclass(frozen=True, slots=True, eq=False)
class TrainingJob:
    """Everything that the processes of a run need."""

    config: TrainConfig
    model: Recognizer3D  # to start from
    train: tuple[CachedTrack, ...]
    val: tuple[CachedTrack, ...]
    data: str  # identity of the training data
    output: Path


def train(request: TrainRequest, config: TrainConfig, project: Path, console: Console) -> bool:
    """Read labels and train a recognizer on them, or check whether it can overfit ten clips.

    Args:
        request: data and output.
        config: everything else.
        project: where relative paths of the configuration may lie.
        console: for progress.

    Returns:
        True if the run is complete, False if it was stopped and can be resumed.

    Raises:
        PipelineError: if data, configuration or network cannot be trained with.
    """
    data = load_labels(
        request.data,
        data_section(config, project),
        label_file=request.label_file,
        videos=request.videos,
        seed=config.loop.seed,
    )
    return train_on(data, request, config, project, console)


def train_on(
    data: LabelledData, request: TrainRequest, config: TrainConfig, project: Path, console: Console
) -> bool:
    """Train a recognizer on samples that are read already; see `train`."""
    device = choose_device(config.device)
    log.info("%s", data.describe())
    model = build_starting_point(
        config,
        data.labels,
        multi_label=data.multi_label,
        name=config.model.name or request.output.resolve().name,
        project=project,
    )
    mirror_rule(config.augmentation, data.labels)  # reports mistakes before the long part
    fabric = _fabric(config, model, device, devices=1 if request.sanity else config.loop.devices)
    if not (request.sanity or open_output(request.output, config, request.command)):
        origin = describe_origin(config.model)
        log.info("a new run in %s, from %s on %s", request.output, origin, device)
    prepared = _prepare(config, data, model, project, device, console)
    job = TrainingJob(
        config,
        model,
        tracks_of(prepared, "train"),
        tracks_of(prepared, "val"),
        identity_of(prepared.tracks, data.labels),
        request.output,
    )
    try:
        if request.sanity:
            _check_sanity(fabric, job, console)
            return True
        complete = bool(fabric.launch(partial(run_process, job=job)))
    except FloatingPointError as error:
        raise PipelineError(str(error)) from error
    if complete:
        report = _write_model(job, data, prepared, device)
        if request.register is not None:
            run = RunOrigin(request.data, request.output / MODEL, request.command)
            used = dict.fromkeys(track.sample for track in prepared.tracks)
            Register(request.register).append(run_entries(run, used, report))
    return complete


def data_section(config: TrainConfig, project: Path) -> DataConfig:
    """Take multi_label from the file of the network, if there is one and `data` does not set it."""
    described = architecture_file(config.model, project)
    if described is None or config.data.multi_label is not None:
        return config.data
    return config.data.model_copy(update={"multi_label": described.multi_label})


def _fabric(config: TrainConfig, model: Recognizer3D, device: str, *, devices: int) -> Fabric:
    chosen = torch.device(device)
    try:
        precision = choose_precision(config.loop.precision, chosen, model)
        return make_fabric(chosen, devices, precision)
    except ValueError as error:
        raise ConfigError(f"loop: {error}") from error


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


def _check_sanity(fabric: Fabric, job: TrainingJob, console: Console) -> None:
    plan = epoch_plan(job.config, job.train)
    spec = trainer_spec(job.config, plan, job.train, job.model.input_spec.labels)
    steps = overfit_ten_clips(fabric, job.model, job.train, spec, console)
    log.info("ten clips were overfitted in %d steps: data and network go together", steps)


def run_process(fabric: Fabric, job: TrainingJob) -> bool:
    """Run one of the processes that train together, from where the run was to its end.

    Args:
        fabric: launched.
        job: the same in all processes.

    Returns:
        True if the run is complete, False if it was stopped and can be resumed.

    Raises:
        ConfigError: if the state in the output folder is of other data.
        FloatingPointError: if the loss is not a number.
    """
    config = job.config
    if config.loop.threads is not None:
        torch.set_num_threads(config.loop.threads)
    labels = job.model.input_spec.labels
    plan = epoch_plan(config, job.train)
    trainer = Trainer(fabric, job.model, trainer_spec(config, plan, job.train, labels))
    state = _restored(trainer, job)
    console = Console(stderr=True, quiet=not fabric.is_global_zero)
    progress = TrainingProgress(console, plan.epochs, plan.steps_per_epoch, trainer.steps)
    clips = _clips(fabric, job, plan)
    loop = EpochLoop(fabric, trainer, clips, job.val, plan, job.output, progress)
    with _stop_on_signals(fabric, console) as stop, progress:
        return loop.run(state, stop)


def _clips(fabric: Fabric, job: TrainingJob, plan: Plan) -> EpochLoader:
    """Open what this process reads of every epoch."""
    config, spec = job.config, job.model.input_spec
    clips = ClipDataset(
        job.train,
        spec,
        views=view_spec(config.augmentation),
        speed=config.augmentation.speed,
        mirror=mirror_rule(config.augmentation, spec.labels),
        seed=config.loop.seed,
    )
    draw = EpochDraw(job.train, spec.labels, config.sampling.balance, config.loop.seed)
    count = plan.steps_per_epoch * plan.clips_per_step
    sampler = EpochSampler(draw, count, fabric.global_rank, fabric.world_size)
    loop = config.loop
    return EpochLoader(clips, sampler, batch_size=loop.batch_size, workers=loop.workers)


def _restored(trainer: Trainer, job: TrainingJob) -> RunState:
    """Restore the state of an unfinished run, or make a new one."""
    if not (job.output / STATE).exists():
        return RunState(job.data)
    state, trainer_state = RunState.load(job.output)
    if state.data != job.data:
        raise ConfigError(
            f"--output {job.output}: the labels or videos have changed since this run began; "
            "take another folder"
        )
    trainer.restore(trainer_state)
    log.info("resuming in epoch %d, after %d steps of the run", state.epoch + 1, trainer.steps)
    return state


@contextmanager
def _stop_on_signals(fabric: Fabric, console: Console) -> Iterator[threading.Event]:
    """Give the event that a signal sets; several processes are ended by a signal immediately.

    They would stop at different steps and wait for each other forever. What was saved last, at
    the latest after the previous epoch, is where they resume.
    """
    shutdown = Shutdown()
    if fabric.world_size > 1:
        yield shutdown.stop
        return
    shutdown.bind_interrupt()
    with on_signals(
        shutdown, lambda _: console.print("stopping after this step; once more ends immediately")
    ):
        yield shutdown.stop


def _write_model(
    job: TrainingJob, data: LabelledData, prepared: Prepared, device: str
) -> RunReport:
    """Write the model, measure the file as it was written, report, and remove the state."""
    output = job.output
    state, _ = RunState.load(output)
    unfinished = output / f"unfinished.{MODEL}"
    try:
        model = best_model(job.model, output)
        model.training_record = continued_record(
            job.model.training_record,
            fingerprints_of(track.sample for track in job.train),
            fingerprints_of(track.sample for track in job.val),
        )
        save_recognizer(unfinished, model, half=job.config.model.half)
    except ValueError as error:
        raise PipelineError(
            f"{error}; the training diverged: a lower optimizer.learning_rate helps"
        ) from error
    recognizer = ActionRecognizer(load_recognizer(unfinished), device=device)
    report = report_run(
        recognizer,
        data,
        prepared,
        state,
        started_from=describe_origin(job.config.model),
        choice=ViewChoice(job.config.test.views, job.config.test.crops),
    )
    report.write(output)
    unfinished.replace(output / MODEL)
    for name in (STATE, BEST):  # with the model there is nothing to resume
        (output / name).unlink()
    return report
