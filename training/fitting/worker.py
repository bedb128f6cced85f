"""What every process of a run does: build the parts, go on where it was, train to the end."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from lightning_fabric import Fabric
from rich.console import Console

from models.slowfast.recognizer3d import Recognizer3D
from pipeline.errors import ConfigError
from pipeline.runtime.shutdown import Shutdown, on_signals
from training.config import TrainConfig
from training.crops.crop_cache import CachedTrack
from training.fitting.clip_dataset import ClipDataset
from training.fitting.epoch_draw import EpochDraw
from training.fitting.epoch_loader import EpochLoader, EpochSampler
from training.fitting.epochs import Plan, TrainingRun
from training.fitting.job_parts import epoch_plan, mirror_rule, trainer_spec, view_spec
from training.fitting.progress import TrainingProgress
from training.fitting.run_state import STATE, RunState
from training.fitting.trainer import Trainer

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class TrainingJob:
    """Everything that the processes of a run need."""

    config: TrainConfig
    model: Recognizer3D  # to start from
    learned: tuple[CachedTrack, ...]
    held_out: tuple[CachedTrack, ...]
    data: str  # identity of what is learned from
    output: Path


def run_job(fabric: Fabric, job: TrainingJob) -> bool:
    """One process of a run.

    Args:
        fabric: launched.
        job: the same in all processes.

    Returns:
        True if the run is over, False if it was stopped and can go on.

    Raises:
        ConfigError: if the state in the output folder is of other data.
        FloatingPointError: if the loss is not a number.
    """
    config = job.config
    if config.loop.threads is not None:
        torch.set_num_threads(config.loop.threads)
    labels = job.model.input_spec.labels
    plan = epoch_plan(config, job.learned)
    trainer = Trainer(fabric, job.model, trainer_spec(config, plan, job.learned, labels))
    state = _restored(trainer, job)
    console = Console(stderr=True, quiet=not fabric.is_global_zero)
    progress = TrainingProgress(console, plan.epochs, plan.steps_per_epoch, trainer.steps)
    clips = _clips(fabric, job, plan)
    run = TrainingRun(fabric, trainer, clips, job.held_out, plan, job.output, progress)
    with _stop_on_signals(fabric, console) as stop, progress:
        return run.go(state, stop)


def _clips(fabric: Fabric, job: TrainingJob, plan: Plan) -> EpochLoader:
    """What this process reads of every epoch."""
    config, spec = job.config, job.model.input_spec
    clips = ClipDataset(
        job.learned,
        spec,
        views=view_spec(config.augmentation),
        speed=config.augmentation.speed,
        mirror=mirror_rule(config.augmentation, spec.labels),
        seed=config.loop.seed,
    )
    draw = EpochDraw(job.learned, spec.labels, config.sampling.balance, config.loop.seed)
    count = plan.steps_per_epoch * plan.clips_per_step
    sampler = EpochSampler(draw, count, fabric.global_rank, fabric.world_size)
    loop = config.loop
    return EpochLoader(clips, sampler, batch_size=loop.batch_size, workers=loop.workers)


def _restored(trainer: Trainer, job: TrainingJob) -> RunState:
    """The state of an unfinished run, or a new one."""
    if not (job.output / STATE).exists():
        return RunState(job.data)
    state, kept = RunState.load(job.output)
    if state.data != job.data:
        raise ConfigError(
            f"--output {job.output}: the labels or videos have changed since this run began; "
            "take another folder"
        )
    trainer.restore(kept)
    log.info("going on in epoch %d, after %d steps of the run", state.epoch + 1, trainer.steps)
    return state


@contextmanager
def _stop_on_signals(fabric: Fabric, console: Console) -> Iterator[threading.Event]:
    """The event that a signal sets; where several processes train, a signal ends them at once.

    They would stop at different steps and wait for each other for ever. What was saved last, after
    the epoch before at the latest, is where they go on.
    """
    shutdown = Shutdown()
    if fabric.world_size > 1:
        yield shutdown.stop
        return
    shutdown.bind(_interrupt)
    with on_signals(
        shutdown, lambda _: console.print("stopping after this step; once more ends at once")
    ):
        yield shutdown.stop


def _interrupt() -> None:
    raise KeyboardInterrupt
