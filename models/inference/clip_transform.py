"""From person crops to network input: the only BGR to RGB conversion of the program."""

from __future__ import annotations

import torch
from torch import Tensor

from models.slowfast.input_spec import InputSpec


class ClipTransform:
    """Reorder the colours for the network, normalize, and move the channels to the front.

    Args:
        spec: colour order, mean and std are used.
        device: of the crops.
    """

    def __init__(self, spec: InputSpec, device: str | torch.device = "cpu") -> None:
        self._reverse = spec.colour_order == "rgb"
        self._mean = torch.tensor(spec.mean, device=device)
        self._inverse_std = 1.0 / torch.tensor(spec.std, device=device)

    def __call__(self, crops: Tensor) -> Tensor:
        """uint8 (B, T, H, W, 3) BGR -> float32 (B, 3, T, H, W) normalized.

        The memory keeps its order, which makes the result channels-last-3d at no cost.

        Raises:
            ValueError: if `crops` are not uint8 of that shape.
        """
        if crops.dtype != torch.uint8 or crops.ndim != 5 or crops.shape[-1] != 3:
            raise ValueError(
                f"crops must be uint8 (B, T, H, W, 3), got {crops.dtype} {tuple(crops.shape)}"
            )
        colours = (crops.flip(-1) if self._reverse else crops).float()
        return colours.sub_(self._mean).mul_(self._inverse_std).permute(0, 4, 1, 2, 3)
