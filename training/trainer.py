"""One network in training: the optimiser, the moving average, a step, and how to go on later."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from models.clip_transform import ClipTransform
from models.losses import LossSpec
from models.recognizer3d import Recognizer3D

LABEL_SMOOTHING = 0.1
DROPOUT = 0.2  # the paper's 0.5 is for 2304 features; this head has 320
EMA_DECAY = 0.998
WEIGHT_DECAY = 0.05
WARM_UP_SHARE = 0.05
MAX_GRADIENT_NORM = 5.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How long, how fast, and from which seed."""

    epochs: int
    clips_per_epoch: int
    batch_size: int
    learning_rate: float
    seed: int

    @property
    def steps_per_epoch(self) -> int:
        """Optimisation steps of an epoch; clips that do not fill a batch are left out."""
        return self.clips_per_epoch // self.batch_size

    @property
    def steps(self) -> int:
        """Optimisation steps of the whole run."""
        return self.epochs * self.steps_per_epoch


class Trainer:
    """A network, the moving average of its weights, and the optimiser between them.

    Raises:
        ValueError: if the slow pathway would see two frames.
    """

    def __init__(self, model: Recognizer3D, plan: Plan) -> None:
        spec = model.input_spec
        if spec.clip_len // spec.alpha == 2:
            # Seen with PyTorch 2.14.1 on a CPU with AVX-512: the bfloat16 weight gradient of a
            # 3x3x3 convolution over exactly two frames is whatever stood in memory.
            raise ValueError(f"clip_len {spec.clip_len} with alpha {spec.alpha} cannot be trained")
        self.model = model.to(memory_format=torch.channels_last_3d)
        self.model.cls_head.set_loss(LossSpec(label_smooth_eps=LABEL_SMOOTHING))
        self.model.cls_head.dropout.p = DROPOUT
        averaging = get_ema_multi_avg_fn(EMA_DECAY)  # type: ignore[no-untyped-call]
        self._average = AveragedModel(self.model, multi_avg_fn=averaging, use_buffers=True)
        decayed = [p for p in model.parameters() if p.ndim > 1]
        kept = [p for p in model.parameters() if p.ndim <= 1]
        groups: list[dict[str, Any]] = [
            {"params": decayed, "weight_decay": WEIGHT_DECAY},
            {"params": kept, "weight_decay": 0.0},  # batch norm and biases
        ]
        self._optimizer = torch.optim.AdamW(groups, lr=plan.learning_rate)
        self._schedule = torch.optim.lr_scheduler.LambdaLR(
            self._optimizer, lambda step: learning_rate_share(step, plan.steps)
        )
        self._transform = ClipTransform(spec)

    def step(self, crops: Tensor, labels: Tensor) -> dict[str, float]:
        """One optimisation step.

        Args:
            crops: uint8 (B, T, S, S, 3) BGR.
            labels: int64 (B,).

        Returns:
            Loss and accuracies of this batch, before the step.

        Raises:
            FloatingPointError: if the loss is not a number; no weight has changed then.
        """
        self.model.train()
        with torch.autocast("cpu", torch.bfloat16):
            logits = self.model(self._transform(crops))
        losses = self.model.cls_head.loss(logits.float(), labels)
        if not torch.isfinite(losses["loss_cls"]):
            raise FloatingPointError("the loss is not a number; lower the learning rate")
        self._optimizer.zero_grad(set_to_none=True)
        losses["loss_cls"].backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), MAX_GRADIENT_NORM)
        self._optimizer.step()
        self._schedule.step()
        self._average.update_parameters(self.model)
        return {name: float(value.detach()) for name, value in losses.items()}

    def averaged(self) -> Recognizer3D:
        """The network to keep: the moving average of the weights."""
        return cast(Recognizer3D, self._average.module)

    def state(self) -> dict[str, Any]:
        """Everything needed to go on."""
        return {
            "model": self.model.state_dict(),
            "average": self._average.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "schedule": self._schedule.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned."""
        self.model.load_state_dict(state["model"])
        self._average.load_state_dict(state["average"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._schedule.load_state_dict(state["schedule"])


def learning_rate_share(step: int, steps: int) -> float:
    """Linear warm-up, then half a cosine down to zero."""
    warm_up = max(1, round(WARM_UP_SHARE * steps))
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up)))
