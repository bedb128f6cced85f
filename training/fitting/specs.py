"""Turn the configuration of a run into the plain values that its components take."""

from __future__ import annotations

from collections.abc import Sequence

from models.slowfast.losses import LossSpec
from pipeline.errors import ConfigError
from training.config import AugmentationConfig, TrainConfig
from training.crops.crop_cache import CachedTrack
from training.fitting.augmentation import ViewSpec
from training.fitting.clip_dataset import MirrorRule
from training.fitting.epoch_loader import class_weights, clips_per_epoch
from training.fitting.epochs import Plan
from training.fitting.optimization import LearningRateSchedule, OptimizerSpec
from training.fitting.trainer import TrainerSpec


def epoch_plan(config: TrainConfig, tracks: Sequence[CachedTrack]) -> Plan:
    """Plan the epochs of a run.

    Args:
        config: of the run.
        tracks: the training set.
    """
    loop = config.loop
    clips = clips_per_epoch(tracks, config.sampling.clips_per_epoch)
    clips_per_step = loop.batch_size * loop.accumulate * loop.devices
    return Plan(
        epochs=loop.epochs,
        steps_per_epoch=max(1, clips // clips_per_step),
        accumulate=loop.accumulate,
        clips_per_step=clips_per_step,
        patience=loop.patience,
        save_every_s=loop.save_every_s,
    )


def trainer_spec(
    config: TrainConfig, plan: Plan, tracks: Sequence[CachedTrack], labels: Sequence[str]
) -> TrainerSpec:
    """Collect optimiser, schedule, loss and regularization.

    Args:
        config: of the run.
        plan: of its epochs, which the schedule spans.
        tracks: the training set, whose class frequencies weigh the loss.
        labels: the classes, in the order of the scores.
    """
    optimizer, schedule = config.optimizer, config.schedule
    weights = class_weights(tracks, labels) if config.sampling.balance == "loss" else None
    return TrainerSpec(
        schedule=LearningRateSchedule(
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
    """Collect how much the views of a clip differ."""
    return ViewSpec(
        scale=section.scale,
        shift=section.shift,
        jitter=section.jitter,
        cut_prob=section.cut_share,
        max_cut=section.max_cut,
        blur_prob=section.blur_share,
        grey_prob=section.grey_share,
        infrared_prob=section.infrared_share,
        cutout_prob=section.cutout_share,
        mix_prob=section.mix_share,
        colour=section.colour,
    )


def mirror_rule(section: AugmentationConfig, labels: Sequence[str]) -> MirrorRule:
    """Decide which clips may be mirrored.

    Raises:
        ConfigError: naming a label that is not among the classes.
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
