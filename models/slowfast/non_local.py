"""The non-local block (Wang et al. 2018): every position attends to all others.

Of the public SlowFast networks, PySlowFast's R101 ones for AVA have it, three times in res4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast, get_args

import torch
from torch import Tensor, nn

from models.slowfast.residual_blocks import Kernel3d

BlocksPerStage = tuple[tuple[int, ...], ...]
Instantiation = Literal["dot_product", "softmax"]


@dataclass(frozen=True, slots=True)
class NonLocal:
    """The non-local blocks of a pathway.

    Raises:
        ValueError: if there is no such instantiation.
    """

    at: BlocksPerStage  # for each of the four stages, behind which residual blocks; 0 is the first
    pool: Kernel3d = (1, 2, 2)  # max pooling of the attended positions, T x H x W
    instantiation: Instantiation = "dot_product"  # f and C(x) in the paper's equation 1

    def __post_init__(self) -> None:
        if self.instantiation not in get_args(Instantiation):
            raise ValueError(
                f"non-local blocks are of {get_args(Instantiation)}, not {self.instantiation!r}"
            )


class NonLocalBlock(nn.Module):
    """z = W_z y + x with y_i = sum_j f(theta(x_i), phi(x_j)) g(x_j) / C(x), equations 1 and 6.

    theta, phi and g are 1x1x1 convolutions to half the channels, `out` is W_z with a batch norm
    that starts at zero, so that a new block changes nothing (section 4.1). As in PySlowFast, x is
    pooled in front of phi and g (section 3.3, subsampling).

    Args:
        channels: of the features.
        shape: how positions are pooled and compared.
    """

    def __init__(self, channels: int, shape: NonLocal) -> None:
        super().__init__()
        inner = channels // 2
        self._instantiation = shape.instantiation
        self.pool = nn.MaxPool3d(shape.pool)
        self.theta = nn.Conv3d(channels, inner, 1)
        self.phi = nn.Conv3d(channels, inner, 1)
        self.g = nn.Conv3d(channels, inner, 1)
        self.out = nn.Conv3d(inner, channels, 1)
        self.bn = nn.BatchNorm3d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, H, W) -> the same shape."""
        pooled = self.pool(x)
        theta = self.theta(x).flatten(2)  # (B, C/2, N), N = T H W
        phi = self.phi(pooled).flatten(2)  # (B, C/2, M), M positions after pooling
        g = self.g(pooled).flatten(2)  # (B, C/2, M)
        weights = self._normalized(theta.transpose(1, 2) @ phi)  # (B, N, M)
        y = g @ weights.transpose(1, 2)  # (B, C/2, N)
        return cast(Tensor, x + self.bn(self.out(y.unflatten(2, x.shape[2:]))))

    def _normalized(self, affinity: Tensor) -> Tensor:
        """(B, N, M) -> the same shape: f / C(x)."""
        if self._instantiation == "softmax":  # scaled as in Vaswani et al. 2017, not in the paper
            return torch.softmax(affinity * self.theta.out_channels**-0.5, dim=2)
        return affinity / affinity.shape[2]  # C(x) = M
