"""The backbones: a slow and a fast pathway with lateral connections, and the slow one alone."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from models.slowfast.resnet3d import STAGES, Pathway, ResNet3d

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
        slow: with laterals.
        fast: without.

    Raises:
        ValueError: if the laterals do not fit the fast pathway's channels.
    """

    def __init__(self, slow: Pathway, fast: Pathway) -> None:
        super().__init__()
        lateral = slow.lateral
        if lateral is None or lateral.fast_channels != fast.channels()[:4]:
            raise ValueError(f"{lateral} does not take the channels {fast.channels()[:4]}")
        self.slow_path = ResNet3d(slow)
        self.fast_path = ResNet3d(fast)

    @property
    def out_channels(self) -> tuple[int, ...]:
        """Channels of the slow and the fast features."""
        return self.slow_path.out_channels, self.fast_path.out_channels

    def forward(self, slow: Tensor, fast: Tensor) -> tuple[Tensor, ...]:
        """Features of both pathways.

        Args:
            slow: float (B, 3, T / alpha, H, W), normalized RGB.
            fast: float (B, 3, T, H, W).

        Returns:
            slow (B, C, T / alpha, H/32, W/32) and fast (B, C / beta_inv, T, H/32, W/32).
        """
        slow, fast = self.slow_path.stem(slow), self.fast_path.stem(fast)
        for index in STAGES:
            slow = torch.cat([slow, self.slow_path.lateral(index, fast)], dim=1)
            slow, fast = self.slow_path.stage(index, slow), self.fast_path.stage(index, fast)
        return slow, fast

    def configure_training(
        self, *, frozen_stages: int = -1, norm_eval: bool = False, with_cp: bool = False
    ) -> None:
        """The same for both pathways, see `ResNet3d.configure_training`."""
        for pathway in (self.slow_path, self.fast_path):
            pathway.configure_training(
                frozen_stages=frozen_stages, norm_eval=norm_eval, with_cp=with_cp
            )


class ResNet3dSlowOnly(nn.Module):
    """The slow pathway alone, without laterals: SlowOnly in mmaction2, Slow in PySlowFast.

    Args:
        slow: without laterals.
    """

    def __init__(self, slow: Pathway) -> None:
        super().__init__()
        self.slow_path = ResNet3d(slow)

    @property
    def out_channels(self) -> tuple[int, ...]:
        """Channels of the features."""
        return (self.slow_path.out_channels,)

    def forward(self, slow: Tensor) -> tuple[Tensor, ...]:
        """Float (B, 3, T, H, W), normalized RGB -> features (B, C, T, H/32, W/32)."""
        return (self.slow_path(slow),)

    def configure_training(
        self, *, frozen_stages: int = -1, norm_eval: bool = False, with_cp: bool = False
    ) -> None:
        """See `ResNet3d.configure_training`."""
        self.slow_path.configure_training(
            frozen_stages=frozen_stages, norm_eval=norm_eval, with_cp=with_cp
        )
