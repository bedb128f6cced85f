"""Check that a network can learn from the data at all: it must overfit ten clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from lightning_fabric import Fabric
from rich.console import Console

from models.slowfast.recognizer3d import Recognizer3D
from pipeline.errors import PipelineError
from training.crops.clip_choice import evaluation_clips
from training.crops.crop_cache import CachedTrack, Crops
from training.fitting.clip_dataset import Batch, target_of
from training.fitting.optimization import LearningRateSchedule
from training.fitting.trainer import Trainer, TrainerSpec

CLIPS = 10
MAX_STEPS = 150
LOSS_GOAL = 0.1  # chance is the logarithm of the number of classes, 0.69 for two
REPORT_EVERY = 10  # steps


class SanityError(PipelineError):
    """Ten clips could not be overfitted: something is wrong with data, network or settings."""


def overfit_ten_clips(
    fabric: Fabric,
    model: Recognizer3D,
    tracks: Sequence[CachedTrack],
    spec: TrainerSpec,
    console: Console,
) -> int:
    """Train on the same ten clips, without augmentation, until they are known by heart.

    Args:
        fabric: of one process.
        model: to train.
        tracks: of the training samples.
        spec: of the run; what keeps from overfitting is switched off.
        console: for the progress.

    Returns:
        The steps that it took.

    Raises:
        SanityError: if `MAX_STEPS` do not suffice.
    """
    chosen = ten_clips(tracks, model)
    labels = [target_of(track.sample.labels, model.input_spec) for track, _ in chosen]
    batch: Batch = torch.from_numpy(np.stack([clip for _, clip in chosen])), torch.stack(labels)
    model.cls_head.dropout.p = 0.0
    trainer = Trainer(fabric, model, _without_regularization(spec))
    for step in range(MAX_STEPS):
        result = trainer.step([batch])
        if step % REPORT_EVERY == 0:
            top1 = "" if result.top1 is None else f", top-1 {result.top1:.2f}"
            console.print(f"step {step}: loss {result.loss:.3f}{top1}", highlight=False)
        if result.loss < LOSS_GOAL and result.top1 in (None, 1.0):
            return step + 1
    raise SanityError(_advice(result.loss, [track for track, _ in chosen]))


def _without_regularization(spec: TrainerSpec) -> TrainerSpec:
    return replace(
        spec,
        schedule=LearningRateSchedule(steps=MAX_STEPS, name="step"),
        optimizer=replace(spec.optimizer, weight_decay=0.0),
        loss=replace(spec.loss, label_smooth_eps=0.0, class_weight=None),
        ema_decay=0.0,
    )


def ten_clips(
    tracks: Sequence[CachedTrack], model: Recognizer3D
) -> list[tuple[CachedTrack, Crops]]:
    """Choose clips of ten people, of as many classes as there are.

    Raises:
        SanityError: if there are fewer than two.
    """
    by_label: dict[str, list[CachedTrack]] = {}
    for track in tracks:
        by_label.setdefault(track.sample.labels[0], []).append(track)
    deepest = max((len(ours) for ours in by_label.values()), default=0)
    in_turn = [ours[n] for n in range(deepest) for ours in by_label.values() if n < len(ours)]
    found: list[tuple[CachedTrack, Crops]] = []
    for track in in_turn:
        clips = evaluation_clips(track, model.input_spec)
        if clips:
            found.append((track, clips[len(clips) // 2]))
        if len(found) == CLIPS:
            break
    if len(found) < 2:
        raise SanityError("there are fewer than two clips to overfit")
    return found


def _advice(loss: float, tracks: Sequence[CachedTrack]) -> str:
    lines = [f"  {track.sample.origin}: {'|'.join(track.sample.labels)}" for track in tracks]
    return (
        f"the network cannot overfit {len(tracks)} clips: the loss is {loss:.3f} after {MAX_STEPS} "
        f"steps, {LOSS_GOAL} was the goal. Training on all of the data would be in vain. Check\n"
        "  the same clip under two labels, frames that show nothing (data.fps, input.*),\n"
        "  a learning rate too low or too high (optimizer.learning_rate, backbone_share),\n"
        "  too much that is frozen (model.frozen_stages, model.norm_eval).\n"
        "The clips:\n" + "\n".join(lines)
    )
