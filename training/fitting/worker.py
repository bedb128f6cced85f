"""What every process of a run does: build the parts, go on where it was, train to the end."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from lightning_fabric import Fabric
from rich.console import Console

from models.slowfast.losses import LossSpec
from models.slowfast.recognizer3d import Recognizer3D
from pipeline.errors import ConfigError
from pipeline.runtime.shutdown import Shutdown, on_signals, raise_interrupt
from training.config import AugmentationConfig, LoopConfig, TrainConfig
from training.crops.crop_cache import CachedTrack
from training.fitting.augmentation import ViewSpec
from training.fitting.clip_dataset import ClipDataset, MirrorRule
from training.fitting.epoch_loader import (
    EpochDraw,
    EpochLoader,
    EpochSampler,
    class_weights,
    clips_per_epoch,
)
from training.fitting.epochs import Plan, TrainingRun
from training.fitting.optimization import OptimizerSpec, Schedule
from training.fitting.progress import TrainingProgress
from training.fitting.run_state import STATE, RunState
from training.fitting.trainer import Trainer, TrainerSpec

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
    shutdown.bind(raise_interrupt)
    with on_signals(
        shutdown, lambda _: console.print("stopping after this step; once more ends at once")
    ):
        yield shutdown.stop


def plan_of(section: LoopConfig, clips: int) -> Plan:
    """How long the run is.

    Args:
        section: of the configuration.
        clips: of an epoch, about.
    """
    clips_per_step = section.batch_size * section.accumulate * section.devices
    return Plan(
        epochs=section.epochs,
        steps_per_epoch=max(1, clips // clips_per_step),
        accumulate=section.accumulate,
        clips_per_step=clips_per_step,
        patience=section.patience,
        save_every_s=section.save_every_s,
    )


def epoch_plan(config: TrainConfig, learned: Sequence[CachedTrack]) -> Plan:
    """The plan for what there is to learn from."""
    return plan_of(config.loop, clips_per_epoch(learned, config.sampling.clips_per_epoch))


def trainer_spec(
    config: TrainConfig, plan: Plan, learned: Sequence[CachedTrack], labels: Sequence[str]
) -> TrainerSpec:
    """How the weights are changed."""
    optimizer, schedule = config.optimizer, config.schedule
    weights = class_weights(learned, labels) if config.sampling.balance == "loss" else None
    return TrainerSpec(
        schedule=Schedule(
            steps=plan.steps,
            name=schedule.name,
            warm_up_fraction=schedule.warm_up_share,
            step_at=schedule.step_at,
            step_factor=schedule.step_factor,
        ),
        optimizer=OptimizerSpec(
            name=optimizer.name,
            learning_rate=optimizer.learning_rate,
            backbone_lr_ratio=optimizer.backbone_share,
            weight_decay=optimizer.weight_decay,
            momentum=optimizer.momentum,
        ),
        loss=LossSpec(
            label_smooth_eps=config.loss.label_smoothing,
            focal_gamma=config.loss.focal_gamma,
            class_weight=weights,
        ),
        ema_decay=config.loop.ema_decay,
        max_gradient_norm=optimizer.max_gradient_norm,
        frozen_stages=config.model.frozen_stages,
        norm_eval=config.model.norm_eval,
        activation_checkpointing=config.model.activation_checkpointing,
        seed=config.loop.seed,
    )


def view_spec(section: AugmentationConfig) -> ViewSpec:
    """How much views differ."""
    return ViewSpec(
        scale=section.scale,
        shift=section.shift,
        jitter=section.jitter,
        cut_prob=section.cut_share,
        max_cut=section.max_cut,
        blur_prob=section.blur_share,
        grey_prob=section.grey_share,
        colour=section.colour,
    )


def mirror_rule(section: AugmentationConfig, labels: Sequence[str]) -> MirrorRule:
    """When clips may be mirrored.

    Raises:
        ConfigError: naming a label that there is not.
    """
    named = {"never_flip": set(section.never_flip)}
    named["mirror_labels"] = {*section.mirror_labels, *section.mirror_labels.values()}
    for key, found in named.items():
        unknown = sorted(found - set(labels))
        if unknown:
            raise ConfigError(
                f"augmentation.{key}: there is no label {', '.join(unknown)}; "
                f"there are {', '.join(labels)}"
            )
    try:
        return MirrorRule.of(
            flip=section.flip, never=section.never_flip, becomes=section.mirror_labels
        )
    except ValueError as error:
        raise ConfigError(f"augmentation: {error}") from error
