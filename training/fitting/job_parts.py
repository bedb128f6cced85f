"""From the configuration of a run to the plain values that its parts take."""

from __future__ import annotations

from collections.abc import Sequence

from models.slowfast.losses import LossSpec
from pipeline.errors import ConfigError
from training.config import AugmentationConfig, LoopConfig, TrainConfig
from training.crops.crop_cache import CachedTrack
from training.fitting.augmentation import ViewSpec
from training.fitting.clip_dataset import MirrorRule
from training.fitting.epoch_draw import class_weights, clips_per_epoch
from training.fitting.epochs import Plan
from training.fitting.optimization import OptimizerSpec
from training.fitting.schedules import Schedule
from training.fitting.trainer import TrainerSpec


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
