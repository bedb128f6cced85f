"""One network in training: optimizer, schedule, moving average, steps, and resumable state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor

from models.inference.clip_transform import ClipTransform
from models.slowfast.losses import LossSpec
from models.slowfast.recognizer3d import Recognizer3D
from pipeline.errors import ConfigError
from training.fitting.clip_dataset import Batch
from training.fitting.optimization import (
    LearningRateSchedule,
    OptimizerSpec,
    WeightAverage,
    build_optimizer,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainerSpec:
    """How the weights are changed."""

    schedule: LearningRateSchedule
    optimizer: OptimizerSpec = field(default_factory=OptimizerSpec)
    loss: LossSpec = field(default_factory=LossSpec)
    ema_decay: float = 0.998
    max_gradient_norm: float = 5.0
    frozen_stages: int = -1
    norm_eval: bool = False
    activation_checkpointing: bool = False
    seed: int = 0


@dataclass(frozen=True, slots=True)
class StepResult:
    """Of the batches of one step, before the step."""

    loss: float
    top1: float | None  # fraction that was right; None for several labels


class Trainer:
    """A network, the moving average of its weights, and the optimiser between them.

    Args:
        fabric: device, precision and processes (Lightning Fabric), launched.
        model: is trained; stays usable from outside.
        spec: how.
    """

    def __init__(self, fabric: Fabric, model: Recognizer3D, spec: TrainerSpec) -> None:
        self._fabric, self._spec, self.model = fabric, spec, model
        model.backbone.configure_training(
            frozen_stages=spec.frozen_stages,
            norm_eval=spec.norm_eval,
            activation_checkpointing=spec.activation_checkpointing,
        )
        model.cls_head.set_loss(spec.loss)
        model.to(fabric.device).to(memory_format=torch.channels_last_3d)
        self._average = WeightAverage(model, spec.ema_decay)
        self._network, self._optimizer = fabric.setup(model, build_optimizer(model, spec.optimizer))
        self._network.mark_forward_method("forward_train")
        self._highest = [group["lr"] for group in self._optimizer.param_groups]
        self._transform = ClipTransform(model.input_spec, fabric.device)
        self.steps = 0

    def step(self, batches: Sequence[Batch]) -> StepResult:
        """One optimisation step over all batches together, whose gradients are averaged.

        Everything random in it depends on the seed, the number of the step and the process, so
        that a resumed run repeats what an uninterrupted one does.

        Args:
            batches: uint8 (B, T, S, S, 3) BGR and labels, see `clip_dataset.target_of`.

        Raises:
            FloatingPointError: if the loss is not a number; no weight has changed then.
        """
        world, rank = self._fabric.world_size, self._fabric.global_rank
        torch.manual_seed((self._spec.seed * 1_000_003 + self.steps) * world + rank)
        factor = self._spec.schedule.factor(self.steps)
        for group, highest in zip(self._optimizer.param_groups, self._highest, strict=True):
            group["lr"] = highest * factor
        self._network.train()
        self._optimizer.zero_grad(set_to_none=True)
        results = [
            self._accumulate(batch, len(batches), last=number == len(batches) - 1)
            for number, batch in enumerate(batches)
        ]
        self._fabric.clip_gradients(
            self._network,
            self._optimizer,
            max_norm=self._spec.max_gradient_norm,
            error_if_nonfinite=False,
        )
        self._optimizer.step()
        self._average.update(self.model)
        self.steps += 1
        losses = [result.loss for result in results]
        right = [result.top1 for result in results if result.top1 is not None]
        top1 = sum(right) / len(right) if right else None
        return StepResult(sum(losses) / len(losses), top1)

    def _accumulate(self, batch: Batch, count: int, *, last: bool) -> StepResult:
        crops, labels = (tensor.to(self._fabric.device, non_blocking=True) for tensor in batch)
        with self._fabric.no_backward_sync(self._network, enabled=not last):
            # On a single device Fabric calls the marked method as it is, without its autocast.
            with self._fabric.autocast():
                losses: dict[str, Tensor] = self._network.forward_train(
                    self._transform(crops), labels
                )
            loss = losses["loss_cls"]
            if not torch.isfinite(loss):
                raise FloatingPointError(
                    f"step {self.steps}: the loss is not a number; lower optimizer.learning_rate"
                )
            self._fabric.backward(loss / count)
        top1 = losses.get("top1_acc")
        return StepResult(float(loss.detach()), None if top1 is None else float(top1))

    @property
    def learning_rate(self) -> float:
        """Of the newest step: of the part that learns fastest."""
        return max(float(group["lr"]) for group in self._optimizer.param_groups)

    def averaged(self) -> Recognizer3D:
        """The network to keep: the moving average of the weights."""
        return self._average.model

    def state(self) -> dict[str, Any]:
        """Return everything needed to resume, on the CPU or the device."""
        return {
            "model": self.model.state_dict(),
            "average": self._average.state(),
            "optimizer": self._optimizer.state_dict(),
            "precision": self._fabric.strategy.precision.state_dict(),
            "steps": self.steps,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Resume from what `state` returned.

        Raises:
            ConfigError: if an earlier version of the program saved it, which had other names.
        """
        if state["model"].keys() != self.model.state_dict().keys():
            raise ConfigError(
                "--output: another version of the program began this run, and its state does not "
                "fit this one; take another folder"
            )
        self.model.load_state_dict(state["model"])
        self._average.restore(state["average"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._fabric.strategy.precision.load_state_dict(state["precision"])
        self.steps = int(state["steps"])
