"""The loop of the compact detector's training: schedule, step, average, checkpoint."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from training.detector.augmentation import Draw, make_view
from training.detector.losses import Losses, compare
from training.detector.student import new_student, student_outputs
from training.detector.teacher import BLOCKS, Teacher

EMA_DECAY = 0.998
WEIGHT_DECAY = 0.01
WARM_UP_STEPS = 150
FINAL_RATE_RATIO = 0.01  # of the learning rate, at the end
GIVEN_UNTIL = 0.35  # fraction of the run after which every block sees the student's features
LARGE_FROM = 0.95  # fraction of the run after which images have the size they are shown at
FEATURES_WEIGHT = (5.0, 1.0)  # at the start and at the end
MAX_GRADIENT_NORM = 20.0


@dataclass(frozen=True, slots=True)
class DetectorPlan:
    """How long, how fast, on what size, and from which seed."""

    steps: int
    batch_size: int = 8
    learning_rate: float = 2e-3
    view_size: int = 320  # pixels; objects are as large as at `shown_at`, views are cuts of it
    shown_at: int = 416  # pixels: the input of the finished detector
    seed: int = 0

    def size(self, step: int) -> int:
        """Return the sides of the images of a step, pixels."""
        return self.shown_at if step >= LARGE_FROM * self.steps else self.view_size

    def rate_factor(self, step: int) -> float:
        """Return the ratio to the highest learning rate: linear warm-up, then a cosine."""
        warm_up = min(1.0, (step + 1) / WARM_UP_STEPS)
        cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, step / self.steps)))
        return warm_up * (FINAL_RATE_RATIO + (1 - FINAL_RATE_RATIO) * cosine)

    def teacher_prob(self, step: int) -> float:
        """Return the probability with which a block sees the teacher's features of an image."""
        return max(0.0, 1 - step / (GIVEN_UNTIL * self.steps))

    def features_weight(self, step: int) -> float:
        """Return the weight of the features' error, which falls linearly."""
        first, last = FEATURES_WEIGHT
        return first + (last - first) * step / self.steps


class DetectorTrainer:
    """A student with its teacher, optimiser and moving average."""

    def __init__(self, plan: DetectorPlan, teacher_folder: Path, draw: Draw) -> None:
        self.plan = plan
        self.step = 0  # steps done
        self._draw = draw
        sizes = {plan.view_size, plan.shown_at}
        self._teachers = {size: Teacher(teacher_folder, size) for size in sizes}
        self._model = new_student(plan.seed).train()
        self._average = AveragedModel(
            self._model, multi_avg_fn=_average_of_recent, use_buffers=True
        )
        kinds: dict[bool, list[Tensor]] = {True: [], False: []}
        for parameter in self._model.parameters():
            kinds[parameter.ndim > 1].append(parameter)
        groups: list[dict[str, Any]] = [
            {"params": kinds[True], "weight_decay": WEIGHT_DECAY},
            {"params": kinds[False], "weight_decay": 0.0},  # batch norm and biases
        ]
        self._optimizer = torch.optim.AdamW(groups, lr=plan.learning_rate)

    @property
    def averaged(self) -> torch.nn.Module:
        """Network with the moving average of the weights: what is shipped."""
        module: torch.nn.Module = self._average.module
        return module

    def run(self) -> Iterator[dict[str, float]]:
        """Do the remaining steps; yields the losses of each.

        Raises:
            FloatingPointError: if a loss is not a number; the checkpoint before it is good.
        """
        while self.step < self.plan.steps:
            losses = self._one_step()
            self.step += 1
            yield losses

    def state(self) -> dict[str, Any]:
        """Return everything that `restore` needs."""
        return {
            "step": self.step,
            "model": self._model.state_dict(),
            "average": self._average.state_dict(),
            "optimizer": self._optimizer.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Resume from what `state` returned."""
        self.step = state["step"]
        self._model.load_state_dict(state["model"])
        self._average.load_state_dict(state["average"])
        self._optimizer.load_state_dict(state["optimizer"])

    def _one_step(self) -> dict[str, float]:
        torch.manual_seed(self.plan.seed * 1_000_003 + self.step)  # the same after a restart
        images, size = self._images()
        wanted = self._teachers[size](images.numpy())
        prob = self.plan.teacher_prob(self.step)
        given = {layer: torch.rand(len(images), 1, 1, 1) < prob for layer in BLOCKS}
        with torch.autocast("cpu", torch.bfloat16):
            inputs = images.to(memory_format=torch.channels_last)
            got = student_outputs(self._model, inputs, wanted.features, given if prob else None)
        losses = compare(got, wanted)
        self._learn(losses)
        return {name: getattr(losses, name).item() for name in losses.__slots__}

    def _learn(self, losses: Losses) -> None:
        total = losses.total(self.plan.features_weight(self.step))
        if not torch.isfinite(total):
            raise FloatingPointError(f"the loss of step {self.step} is {total.item()}: {losses}")
        for group in self._optimizer.param_groups:
            group["lr"] = self.plan.learning_rate * self.plan.rate_factor(self.step)
        self._optimizer.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self._model.parameters(), MAX_GRADIENT_NORM)
        self._optimizer.step()
        self._average.update_parameters(self._model)

    def _images(self) -> tuple[Tensor, int]:
        """Make a batch, float32 (B, 3, S, S) RGB in 0..1; returns it and S."""
        rng = np.random.default_rng([self.plan.seed, self.step])
        size = self.plan.size(self.step)
        views = [
            make_view(self._draw, rng, size, self.plan.shown_at)
            for _ in range(self.plan.batch_size)
        ]
        rgb = np.stack(views)[..., ::-1].transpose(0, 3, 1, 2)
        return torch.from_numpy(np.ascontiguousarray(rgb, np.float32) / 255), size


def _average_of_recent(averages: Any, current: Any, count: Any) -> None:
    """Average recent weights; the first steps are averaged evenly, as random ones must fade."""
    decay = min(EMA_DECAY, (1 + float(count)) / (10 + float(count)))
    for average, now in zip(averages, current, strict=True):
        if average.dtype.is_floating_point:
            average.lerp_(now.to(average.dtype), 1 - decay)
        else:
            average.copy_(now)
