"""The SlowFast backbone: a slow and a fast pathway with lateral connections."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from models.resnet3d import Lateral, PerStage, ResNet3d

SlowSampling = Literal["stride", "linspace"]


def select_slow(fast: Tensor, alpha: int, sampling: SlowSampling = "stride") -> Tensor:
    """Pick the slow pathway's frames, (B, 3, T, H, W) -> (B, 3, T / alpha, H, W).

    Args:
        fast: all frames of the clip.
        alpha: T_fast / T_slow.
        sampling: "stride" takes every alpha-th frame (mmaction2), "linspace" spreads them from
            the first frame to the last (pytorchvideo and PySlowFast). Weights want their own.

    Raises:
        ValueError: if alpha does not divide T.
    """
    clip_len = fast.shape[2]
    if clip_len % alpha:
        raise ValueError(f"alpha {alpha} does not divide the {clip_len} frames of the clip")
    if sampling == "stride":
        return fast[:, :, ::alpha]
    frames = torch.linspace(0, clip_len - 1, clip_len // alpha, device=fast.device).long()
    return fast.index_select(2, frames)


class ResNet3dSlowFast(nn.Module):
    """Two pathways over the same clip (Feichtenhofer et al. 2019), as in mmaction2 0.24.

    Args:
        slow_depth: of the slow pathway.
        fast_depth: of the fast pathway; None for the same.
        base_channels: of the slow pathway's stem.
        alpha: T_fast / T_slow (mmaction2: speed_ratio, and resample_rate of the slow pathway).
        beta_inv: C_slow / C_fast (mmaction2: channel_ratio).
        fusion_kernel: temporal kernel of the laterals.
        slow_inflate: per stage, 1 where the slow pathway's blocks see neighbouring frames.
        fast_inflate: the same for the fast pathway.

    Raises:
        ValueError: for an unknown depth, or if `beta_inv` does not divide `base_channels`.
    """

    def __init__(
        self,
        slow_depth: int = 50,
        *,
        fast_depth: int | None = None,
        base_channels: int = 64,
        alpha: int = 8,
        beta_inv: int = 8,
        fusion_kernel: int = 5,
        slow_inflate: PerStage = (0, 0, 1, 1),
        fast_inflate: PerStage = (1, 1, 1, 1),
    ) -> None:
        super().__init__()
        if base_channels % beta_inv:
            raise ValueError(f"beta_inv {beta_inv} does not divide base_channels {base_channels}")
        self.slow_path = ResNet3d(
            slow_depth,
            base_channels=base_channels,
            conv1_kernel=(1, 7, 7),
            inflate=slow_inflate,
            lateral=Lateral(alpha, beta_inv, fusion_kernel),
        )
        self.fast_path = ResNet3d(
            fast_depth or slow_depth,
            base_channels=base_channels // beta_inv,
            conv1_kernel=(5, 7, 7),
            inflate=fast_inflate,
        )

    @property
    def out_channels(self) -> tuple[int, int]:
        """Channels of the slow and the fast features."""
        return self.slow_path.out_channels, self.fast_path.out_channels

    def forward(self, slow: Tensor, fast: Tensor) -> tuple[Tensor, Tensor]:
        """Features of both pathways.

        Args:
            slow: float (B, 3, T / alpha, H, W), normalized RGB.
            fast: float (B, 3, T, H, W).

        Returns:
            slow (B, C, T / alpha, H/32, W/32) and fast (B, C / beta_inv, T, H/32, W/32).
        """
        slow, fast = self.slow_path.stem(slow), self.fast_path.stem(fast)
        for index in range(4):
            slow = torch.cat([slow, self.slow_path.lateral(index)(fast)], dim=1)
            slow, fast = self.slow_path.stage(index)(slow), self.fast_path.stage(index)(fast)
        return slow, fast
