"""The optimiser, with a learning rate for the backbone and one for the classifier."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from models.slowfast.recognizer3d import Recognizer3D


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizerSpec:
    """Optimiser and its hyperparameters; see `configs/train/default.yaml`."""

    name: Literal["adamw", "sgd"] = "adamw"
    learning_rate: float = 1e-3
    backbone_lr_ratio: float = 1.0  # of the learning rate, for the backbone
    weight_decay: float = 0.05
    momentum: float = 0.9


def build_optimizer(model: Recognizer3D, spec: OptimizerSpec) -> torch.optim.Optimizer:
    """Build the optimiser; frozen weights are excluded.

    Batch norms and biases do not decay (Goyal et al. 2017, section 5.3).

    Args:
        model: whose backbone and classifier have their own learning rates.
        spec: kind and hyperparameters.
    """
    groups: list[dict[str, Any]] = []
    for part, ratio in ((model.backbone, spec.backbone_lr_ratio), (model.cls_head, 1.0)):
        groups += _groups(part, ratio * spec.learning_rate, spec.weight_decay)
    if spec.name == "sgd":
        return torch.optim.SGD(groups, momentum=spec.momentum, nesterov=spec.momentum > 0)
    return torch.optim.AdamW(groups)


def _groups(part: nn.Module, learning_rate: float, weight_decay: float) -> list[dict[str, Any]]:
    trained = [weight for weight in part.parameters() if weight.requires_grad]
    decayed = [weight for weight in trained if weight.ndim > 1]
    kept = [weight for weight in trained if weight.ndim <= 1]
    groups = [
        {"params": decayed, "lr": learning_rate, "weight_decay": weight_decay},
        {"params": kept, "lr": learning_rate, "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class LearningRateSchedule:
    """Linear warm-up, then half a cosine to zero, or steps."""

    steps: int  # of the run
    name: Literal["cosine", "step"] = "cosine"
    warm_up_fraction: float = 0.05  # of the steps
    step_at: Sequence[float] = ()  # shares of the run at which the learning rate falls
    step_factor: float = 0.1

    def factor(self, step: int) -> float:
        """Return the ratio to the highest learning rate, in (0, 1], for steps from 0."""
        warm_up = round(self.warm_up_fraction * self.steps)
        if step < warm_up:
            return (step + 1) / (warm_up + 1)
        if self.name == "step":
            fallen = sum(step >= at * self.steps for at in self.step_at)
            return float(self.step_factor**fallen)
        done = (step - warm_up) / max(1, self.steps - warm_up)
        return 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))


class WeightAverage:
    """Exponential moving average of weights and batch norm statistics.

    The decay grows with the number of steps up to its value, (1 + n) / (10 + n), as in TensorFlow's
    ExponentialMovingAverage: else a short run would end with the weights that it began with.

    Args:
        model: which is trained.
        decay: per step; 0 gives the newest weights.
    """

    def __init__(self, model: Recognizer3D, decay: float) -> None:
        self._decay = decay
        self._average = AveragedModel(model, multi_avg_fn=self._blend, use_buffers=True)

    def update(self, model: Recognizer3D) -> None:
        """Average the weights of a step in."""
        self._average.update_parameters(model)

    @property
    def model(self) -> Recognizer3D:
        """The network with the averaged weights."""
        return cast(Recognizer3D, self._average.module)

    def state(self) -> dict[str, Tensor]:
        """Return everything needed to resume."""
        return self._average.state_dict()

    def restore(self, state: dict[str, Tensor]) -> None:
        """Resume from what `state` returned."""
        self._average.load_state_dict(state)

    @torch.no_grad()
    def _blend(
        self, averages: Sequence[Tensor], newest: Sequence[Tensor], count: Tensor | int
    ) -> None:
        decay = min(self._decay, (1 + int(count)) / (10 + int(count)))
        if averages[0].is_floating_point():
            torch._foreach_lerp_(list(averages), list(newest), 1 - decay)
        else:  # counts of batches
            for average, new in zip(averages, newest, strict=True):
                average.copy_(new)
