"""One SlowFast pathway: a 3D ResNet whose state_dict keys equal mmaction2's.

Stages are called `layer1`..`layer4` here and nowhere else (res2..res5 in the paper): the names
are the keys of public checkpoints.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from torch import Tensor, nn

from models.residual_blocks import (
    BasicBlock3d,
    Bottleneck3d,
    ConvModule,
    ResidualBlock,
    Triple,
)

PerStage = tuple[int, int, int, int]


BlockType = type[BasicBlock3d] | type[Bottleneck3d]

# Block and blocks per stage, He et al. 2015, table 1.
_DEPTHS: dict[int, tuple[BlockType, PerStage]] = {
    18: (BasicBlock3d, (2, 2, 2, 2)),
    34: (BasicBlock3d, (3, 4, 6, 3)),
    50: (Bottleneck3d, (3, 4, 6, 3)),
    101: (Bottleneck3d, (3, 4, 23, 3)),
    152: (Bottleneck3d, (3, 8, 36, 3)),
}


@dataclass(frozen=True, slots=True)
class Lateral:
    """The fast-to-slow connections: strided temporal convolutions, bare as in mmaction2."""

    alpha: int  # T_fast / T_slow, the convolution's stride in time
    beta_inv: int  # C_slow / C_fast
    fusion_kernel: int  # temporal, 5 for 4x16 and 7 for 8x8
    fusion_ratio: int = 2  # output channels per fast channel

    def conv(self, slow_channels: int) -> ConvModule:
        """The connection beside a stage whose slow output has `slow_channels` channels."""
        return ConvModule(
            slow_channels // self.beta_inv,
            self.out_channels(slow_channels),
            (self.fusion_kernel, 1, 1),
            (self.alpha, 1, 1),
            norm=False,
            relu=False,
        )

    def out_channels(self, slow_channels: int) -> int:
        """Channels that the connection adds to the slow features."""
        return slow_channels // self.beta_inv * self.fusion_ratio


class ResNet3d(nn.Module):
    """Stem and four stages; with `lateral`, every stage also takes features of the other pathway.

    Args:
        depth: 18, 34, 50, 101 or 152.
        base_channels: channels of the stem, 64 in the slow pathway of the paper.
        conv1_kernel: of the stem, (1, 7, 7) slow and (5, 7, 7) fast.
        inflate: per stage, 1 where the blocks see neighbouring frames.
        spatial_strides: per stage. Time is never strided: SlowFast keeps T to the end.
        lateral: the slow pathway's inputs from the fast one; None for the fast one itself.

    Raises:
        ValueError: for an unknown depth.
    """

    def __init__(
        self,
        depth: int,
        *,
        base_channels: int,
        conv1_kernel: Triple,
        inflate: PerStage,
        spatial_strides: PerStage = (1, 2, 2, 2),
        lateral: Lateral | None = None,
    ) -> None:
        super().__init__()
        if depth not in _DEPTHS:
            raise ValueError(f"ResNet3d has depths {sorted(_DEPTHS)}, not {depth}")
        self._block, block_counts = _DEPTHS[depth]
        self.conv1 = ConvModule(3, base_channels, conv1_kernel, (1, 2, 2))
        self.maxpool = nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1))
        channels = base_channels
        for stage, count in enumerate(block_counts):
            extra = 0
            if lateral is not None:
                name = "conv1_lateral" if stage == 0 else f"layer{stage}_lateral"
                self.add_module(name, lateral.conv(channels))
                extra = lateral.out_channels(channels)
            planes = base_channels * 2**stage
            blocks = self._stage(
                channels + extra, planes, count, spatial_strides[stage], bool(inflate[stage])
            )
            self.add_module(f"layer{stage + 1}", blocks)
            channels = planes * self._block.expansion
        self.out_channels = channels
        self._initialize()

    def _stage(
        self, in_channels: int, planes: int, count: int, stride: int, inflate: bool
    ) -> nn.Sequential:
        blocks = [self._block(in_channels, planes, (1, stride, stride), inflate=inflate)]
        channels = planes * self._block.expansion
        blocks += [
            self._block(channels, planes, (1, 1, 1), inflate=inflate) for _ in range(count - 1)
        ]
        return nn.Sequential(*blocks)

    def stem(self, clip: Tensor) -> Tensor:
        """(B, 3, T, H, W) -> (B, base_channels, T, H/4, W/4)."""
        return cast(Tensor, self.maxpool(self.conv1(clip)))

    def stage(self, index: int) -> nn.Module:
        """Stage 0..3."""
        return self.get_submodule(f"layer{index + 1}")

    def lateral(self, index: int) -> nn.Module:
        """The connection in front of stage 0..3."""
        return self.get_submodule("conv1_lateral" if index == 0 else f"layer{index}_lateral")

    def forward(self, clip: Tensor) -> Tensor:
        """(B, 3, T, H, W) -> (B, out_channels, T, H/32, W/32), for a pathway without laterals."""
        x = self.stem(clip)
        for index in range(4):
            x = self.stage(index)(x)
        return x

    def _initialize(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, ResidualBlock):
                # A block starts as its shortcut (Goyal et al. 2017, 5.1), as in mmaction2.
                nn.init.zeros_(module.last_norm().weight)
