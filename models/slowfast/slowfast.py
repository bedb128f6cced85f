"""SlowFast: two pathways over one clip, joined by lateral connections (Feichtenhofer et al. 2019).

The slow pathway processes few frames with many channels and captures appearance. The fast pathway
processes all frames with few channels and captures motion. In front of each stage, a lateral
convolution brings the fast features to the slow pathway's frames, which concatenates them.

    slow frames --> stem --(+)--> res2 --(+)--> res3 --(+)--> res4 --(+)--> res5 --+
                            ^             ^             ^             ^            |
                         lateral       lateral       lateral       lateral         +--> head
                            |             |             |             |            |
    all frames ---> stem ---+---> res2 ---+---> res3 ---+---> res4 ---+---> res5 --+

Shapes (C, T, H, W) of R50 8x8: clip_len 32, alpha 4, beta_inv 8, fusion_ratio 2, crop_size 224.

             slow                 fast                 slow after lateral
    input       3, 8, 224, 224       3, 32, 224, 224
    stem       64, 8,  56,  56       8, 32,  56,  56     64 +  16 =   80, into res2
    res2      256, 8,  56,  56      32, 32,  56,  56    256 +  64 =  320, into res3
    res3      512, 8,  28,  28      64, 32,  28,  28    512 + 128 =  640, into res4
    res4     1024, 8,  14,  14     128, 32,  14,  14   1024 + 256 = 1280, into res5
    res5     2048, 8,   7,   7     256, 32,   7,   7   no lateral; the head takes 2048 + 256

Where other code bases mislead:

* `alpha` is T_fast / T_slow, mmaction2's `speed_ratio`: 4 for 8x8 and 8 for 4x16. These names count
  the slow frames and their distance; the fast pathway has 32 frames, 2 apart, in both.
* `beta_inv` is C_slow / C_fast = 8, mmaction2's `channel_ratio` and PySlowFast's `BETA_INV`. The
  paper's beta is 1/8.
* Which frames the slow pathway sees depends on who trained the weights, see `select_slow`.
* So does the order in which the head concatenates the pathways, see `heads.SlowFastHead`.
* mmaction2's laterals are bare convolutions; those of PySlowFast and pytorchvideo have batch norm
  and ReLU, see `Lateral.norm`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from models.slowfast.backbone import Backbone
from models.slowfast.residual_blocks import ConvModule
from models.slowfast.resnet3d import Pathway, ResNet3d, initialize

SlowSampling = Literal["stride", "linspace"]


@dataclass(frozen=True, slots=True)
class Lateral:
    """The fast-to-slow connections: convolutions strided in time (the paper's T-conv, table 2)."""

    alpha: int  # T_fast / T_slow, the convolution's stride in time
    fusion_kernel: int  # temporal; 5 for 4x16, 7 for 8x8
    fusion_ratio: int = 2  # output channels per fast channel
    norm: bool = False  # batch norm and ReLU behind it (PySlowFast, pytorchvideo); else bare

    def conv(self, fast_channels: int) -> ConvModule:
        """(B, fast_channels, T, H, W) -> (B, fusion_ratio * fast_channels, T / alpha, H, W)."""
        return ConvModule(
            fast_channels,
            fast_channels * self.fusion_ratio,
            (self.fusion_kernel, 1, 1),
            (self.alpha, 1, 1),
            norm=self.norm,
            relu=self.norm,
        )


class ResNet3dSlowFast(Backbone):
    """Two pathways over the same clip; see the diagram and the shapes at the top of this module.

    Args:
        slow: the pathway of few frames.
        fast: the pathway of all frames.
        lateral: what connects them.
    """

    def __init__(self, slow: Pathway, fast: Pathway, lateral: Lateral) -> None:
        super().__init__()
        stem, res2, res3, res4, _ = fast.channels
        ratio = lateral.fusion_ratio
        self.slow = ResNet3d(slow, (stem * ratio, res2 * ratio, res3 * ratio, res4 * ratio))
        self.fast = ResNet3d(fast)
        # In front of res2..res5: behind the fast pathway's stem, res2, res3 and res4.
        self.laterals = nn.ModuleList(lateral.conv(width) for width in (stem, res2, res3, res4))
        initialize(self.laterals)

    @property
    def out_channels(self) -> tuple[int, ...]:
        """Channels of the slow and the fast features."""
        return self.slow.out_channels, self.fast.out_channels

    def forward(self, slow: Tensor, fast: Tensor) -> tuple[Tensor, ...]:
        """Features of both pathways.

        Args:
            slow: float (B, 3, T / alpha, H, W), normalized, see `select_slow`.
            fast: float (B, 3, T, H, W).

        Returns:
            slow (B, C, T / alpha, H/32, W/32) and fast (B, C / beta_inv, T, H/32, W/32).
        """
        slow = self.slow.stem(slow)  # (B, 64, T/alpha, H/4, W/4)
        fast = self.fast.stem(fast)  # (B, 8, T, H/4, W/4)
        for lateral, slow_stage, fast_stage in zip(
            self.laterals, self.slow.stages, self.fast.stages, strict=True
        ):
            slow = torch.cat([slow, lateral(fast)], dim=1)  # + fusion_ratio * C_fast channels
            slow = slow_stage(slow)  # res2 (B, 256, T/alpha, H/4, W/4) ... res5 (B, 2048, .., H/32)
            fast = fast_stage(fast)  # res2 (B, 32, T, H/4, W/4) ... res5 (B, 256, T, H/32, W/32)
        return slow, fast

    def modules_up_to(self, stage_count: int) -> list[nn.Module]:
        """See `Backbone.modules_up_to`; as in mmaction2, without the lateral behind the stem."""
        pathways = [
            module
            for pathway in (self.slow, self.fast)
            for module in (pathway.stem, *pathway.stages[:stage_count])
        ]
        return [*pathways, *self.laterals[1 : stage_count + 1]]


class ResNet3dSlowOnly(Backbone):
    """The slow pathway alone, without laterals: SlowOnly in mmaction2, Slow in PySlowFast.

    Args:
        slow: the pathway.
    """

    def __init__(self, slow: Pathway) -> None:
        super().__init__()
        self.slow = ResNet3d(slow)

    @property
    def out_channels(self) -> tuple[int, ...]:
        """Channels of the features."""
        return (self.slow.out_channels,)

    def forward(self, slow: Tensor) -> tuple[Tensor, ...]:
        """Float (B, 3, T, H, W), normalized -> features (B, C, T, H/32, W/32)."""
        return (self.slow(slow),)

    def modules_up_to(self, stage_count: int) -> list[nn.Module]:
        """See `Backbone.modules_up_to`."""
        return [self.slow.stem, *self.slow.stages[:stage_count]]


def select_slow(fast: Tensor, alpha: int, sampling: SlowSampling = "stride") -> Tensor:
    """Pick the slow pathway's frames, (B, 3, T, H, W) -> (B, 3, T / alpha, H, W).

    The frames must be those that the weights were trained with: the others raise no error, they
    lower the accuracy.

    Args:
        fast: all frames of the clip.
        alpha: T_fast / T_slow.
        sampling: "stride" takes every alpha-th frame: 0, 4, 8, 12, ... of 32 with alpha 4
            (mmaction2, models/backbones/resnet3d_slowfast.py). "linspace" spreads them from the
            first frame to the last: 0, 4, 8, 13, ... (PySlowFast, datasets/utils.py,
            pack_pathway_output; pytorchvideo as well).

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
