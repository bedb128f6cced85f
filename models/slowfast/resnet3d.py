"""One pathway: a 3D ResNet of a stem and the stages res2..res5.

Stages have the paper's names everywhere in this project. Public checkpoints count them in other
ways (`layer1`, `s2` and `blocks.1` are res2), see `models.checkpoints.naming_schemes`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.slowfast.non_local import NonLocal, NonLocalBlock
from models.slowfast.residual_blocks import (
    BasicBlock3d,
    BlockShape,
    Bottleneck3d,
    ConvModule,
    Kernel3d,
    ResidualBlock,
    ResidualStage,
)

STAGES = ("res2", "res3", "res4", "res5")  # the order of everything that is given per stage
PerStage = tuple[int, int, int, int]
BlockType = type[BasicBlock3d] | type[Bottleneck3d]

# Block and blocks per stage, He et al. 2015, table 1.
DEPTHS: dict[int, tuple[BlockType, PerStage]] = {
    18: (BasicBlock3d, (2, 2, 2, 2)),
    34: (BasicBlock3d, (3, 4, 6, 3)),
    50: (Bottleneck3d, (3, 4, 6, 3)),
    101: (Bottleneck3d, (3, 4, 23, 3)),
    152: (Bottleneck3d, (3, 8, 36, 3)),
}
NO_LATERALS: PerStage = (0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class StageShape:
    """The numbers of one stage."""

    planes: int  # channels inside its blocks
    blocks: tuple[BlockShape, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pathway:
    """The numbers of one pathway. Time is never strided: SlowFast keeps T to the end.

    Raises:
        ValueError: if there is no such depth, or a stage does not have the blocks named for it.
    """

    depth: int  # 18, 34, 50, 101 or 152
    base_channels: int = 64  # of the stem; 64 / beta_inv in the fast pathway
    stem_kernel: Kernel3d = (1, 7, 7)  # (5, 7, 7) in the fast pathway
    # Per stage, 1 where the blocks see neighbouring frames; or one number per block of the stage.
    inflate: tuple[int | tuple[int, ...], ...] = (0, 0, 1, 1)
    spatial_strides: PerStage = (1, 2, 2, 2)
    # Of public networks, those for AVA have strides (1, 2, 2, 1), some dilate res5 instead, and
    # some have non-local blocks.
    dilations: PerStage = (1, 1, 1, 1)
    non_local: NonLocal | None = None

    def __post_init__(self) -> None:
        if self.depth not in DEPTHS:
            raise ValueError(f"a pathway has one of the depths {sorted(DEPTHS)}, not {self.depth}")
        block_counts = DEPTHS[self.depth][1]
        for name, count, inflate in zip(STAGES, block_counts, self.inflate, strict=True):
            if isinstance(inflate, tuple) and len(inflate) != count:
                raise ValueError(f"inflate of {name} is for {len(inflate)} of {count} blocks")
        if self.non_local is not None:
            for name, count, at in zip(STAGES, block_counts, self.non_local.at, strict=True):
                for block in at:
                    if not 0 <= block < count:
                        raise ValueError(f"{name} has no block {block} for a non-local one")

    @property
    def block_type(self) -> BlockType:
        """Basic blocks up to depth 34, bottlenecks from 50 on."""
        return DEPTHS[self.depth][0]

    @property
    def channels(self) -> tuple[int, int, int, int, int]:
        """Output channels of the stem and of res2..res5."""
        res2 = self.base_channels * self.block_type.expansion
        return self.base_channels, res2, 2 * res2, 4 * res2, 8 * res2

    def stages(self) -> tuple[StageShape, ...]:
        """Return the shapes of res2..res5; only the first block of a stage strides."""
        shapes = []
        planes = self.base_channels
        for count, inflate, stride, dilation in zip(
            DEPTHS[self.depth][1], self.inflate, self.spatial_strides, self.dilations, strict=True
        ):
            inflate_of = inflate if isinstance(inflate, tuple) else (inflate,) * count
            strides = (stride,) + (1,) * (count - 1)
            blocks = (
                BlockShape(bool(inflated), spatial_stride, dilation)
                for inflated, spatial_stride in zip(inflate_of, strides, strict=True)
            )
            shapes.append(StageShape(planes, tuple(blocks)))
            planes *= 2
        return tuple(shapes)


class Stem(ConvModule):
    """A 7x7 convolution and a 3x3 max pooling, each with stride 2 in space.

    Args:
        out_channels: of the pathway's `base_channels`.
        kernel: of the convolution.
    """

    def __init__(self, out_channels: int, kernel: Kernel3d) -> None:
        super().__init__(3, out_channels, kernel, (1, 2, 2))
        self.pool = nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1))

    def forward(self, clip: Tensor) -> Tensor:
        """(B, 3, T, H, W) -> (B, out_channels, T, H/4, W/4)."""
        pooled: Tensor = self.pool(super().forward(clip))
        return pooled


class ResNet3d(nn.Module):
    """Stem and four stages, `stem`, `res2`, `res3`, `res4` and `res5`.

    Args:
        pathway: depth, channels, kernels and strides.
        lateral_channels: of the features of another pathway that are concatenated in front of
            each stage; 0: none.
        zero_init_residual: a block starts as its shortcut (Goyal et al. 2017, 5.1).
    """

    def __init__(
        self,
        pathway: Pathway,
        lateral_channels: PerStage = NO_LATERALS,
        *,
        zero_init_residual: bool = True,
    ) -> None:
        super().__init__()
        stem, *outputs = pathway.channels
        inputs = (
            own + lateral
            for own, lateral in zip((stem, *outputs[:-1]), lateral_channels, strict=True)
        )
        self.stem = Stem(stem, pathway.stem_kernel)
        self.res2, self.res3, self.res4, self.res5 = (
            _stage(pathway.block_type, in_channels, shape)
            for in_channels, shape in zip(inputs, pathway.stages(), strict=True)
        )
        self.out_channels = outputs[-1]
        if pathway.non_local is not None:
            self._insert(pathway.non_local, outputs)
        initialize(self, zero_init_residual=zero_init_residual)

    @property
    def stages(self) -> tuple[ResidualStage, ResidualStage, ResidualStage, ResidualStage]:
        """Return res2..res5."""
        return self.res2, self.res3, self.res4, self.res5

    def forward(self, clip: Tensor, laterals: Sequence[Tensor] | None = None) -> Tensor:
        """Features of a clip.

        Args:
            clip: float (B, 3, T, H, W), normalized.
            laterals: for a pathway with lateral channels, the features to concatenate in front
                of res2..res5, each (B, lateral channels, T, H', W') of that stage's input.

        Returns:
            float (B, out_channels, T, H/32, W/32).
        """
        x: Tensor = self.stem(clip)
        for number, stage in enumerate(self.stages):
            x = stage(x if laterals is None else torch.cat([x, laterals[number]], dim=1))
        return x

    def _insert(self, non_local: NonLocal, channels: Sequence[int]) -> None:
        for stage, width, blocks in zip(self.stages, channels, non_local.at, strict=True):
            for block in blocks:
                stage[block].non_local = NonLocalBlock(width, non_local)


def initialize(part: nn.Module, *, zero_init_residual: bool = True) -> None:
    """Draw the weights of convolutions (He et al. 2015), and start blocks as their shortcuts.

    Args:
        part: whose convolutions, residual and non-local blocks are initialized.
        zero_init_residual: see `ResNet3d`.
    """
    for module in part.modules():
        if isinstance(module, nn.Conv3d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, ResidualBlock) and zero_init_residual:
            nn.init.zeros_(module.last_norm().weight)
        elif isinstance(module, NonLocalBlock):
            nn.init.zeros_(module.bn.weight)


def _stage(block_type: BlockType, in_channels: int, shape: StageShape) -> ResidualStage:
    blocks: list[ResidualBlock] = []
    for block in shape.blocks:
        blocks.append(block_type(in_channels, shape.planes, block))
        in_channels = shape.planes * block_type.expansion
    return ResidualStage(*blocks)
