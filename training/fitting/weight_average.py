"""A moving average of the weights, which generalizes better than the last ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from models.slowfast.recognizer3d import Recognizer3D


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
        """Take the weights of a step."""
        self._average.update_parameters(model)

    @property
    def model(self) -> Recognizer3D:
        """The network with the averaged weights."""
        return cast(Recognizer3D, self._average.module)

    def state(self) -> dict[str, Tensor]:
        """Everything needed to go on."""
        return self._average.state_dict()

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on from what `state` returned."""
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
