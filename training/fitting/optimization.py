"""The optimiser, with a learning rate for the backbone and one for the classifier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn

from models.slowfast.recognizer3d import Recognizer3D


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizerSpec:
    """See `configs/train/default.yaml`."""

    name: Literal["adamw", "sgd"] = "adamw"
    learning_rate: float = 1e-3
    backbone_lr_ratio: float = 1.0  # of the learning rate, for the backbone
    weight_decay: float = 0.05
    momentum: float = 0.9


def build_optimizer(model: Recognizer3D, spec: OptimizerSpec) -> torch.optim.Optimizer:
    """Frozen weights are left out; batch norms and biases do not decay (Goyal et al. 2017, 5.3)."""
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
