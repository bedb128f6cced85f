"""One SlowFast pathway: a 3D ResNet whose state_dict keys equal mmaction2's.

Stages are called `layer1`..`layer4` here and nowhere else (res2..res5 in the paper): the names
are the keys of public checkpoints.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self, cast

import torch
from torch import Tensor, nn

from models.slowfast.activation_checkpointing import checkpointed
from models.slowfast.non_local import NonLocal, NonLocalBlock
from models.slowfast.residual_blocks import (
    BasicBlock3d,
    BlockShape,
    Bottleneck3d,
    ConvModule,
    Kernel3d,
    ResidualBlock,
)

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
STAGES = range(4)


@dataclass(frozen=True, slots=True)
class Lateral:
    """The fast-to-slow connections: strided temporal convolutions (paper: T-conv, table 2)."""

    fast_channels: PerStage  # of the fast pathway behind its stem, res2, res3 and res4
    alpha: int  # T_fast / T_slow, the convolution's stride in time
    fusion_kernel: int  # temporal, 5 for 4x16 and 7 for 8x8
    fusion_ratio: int = 2  # output channels per fast channel
    norm: bool = False  # batch norm and ReLU behind it (PySlowFast, pytorchvideo); else bare

    def conv(self, stage: int) -> ConvModule:
        """The connection in front of stage 0..3."""
        return ConvModule(
            self.fast_channels[stage],
            self.out_channels(stage),
            (self.fusion_kernel, 1, 1),
            (self.alpha, 1, 1),
            norm=self.norm,
            relu=self.norm,
        )

    def out_channels(self, stage: int) -> int:
        """Channels that the connection adds to the slow features in front of stage 0..3."""
        return self.fast_channels[stage] * self.fusion_ratio


@dataclass(frozen=True, slots=True, kw_only=True)
class Pathway:
    """The numbers of one pathway. Time is never strided: SlowFast keeps T to the end."""

    depth: int  # 18, 34, 50, 101 or 152
    base_channels: int = 64  # of the stem
    conv1_kernel: Kernel3d = (1, 7, 7)  # of the stem; (5, 7, 7) fast
    # Per stage, 1 where the blocks see neighbouring frames; or one number per block of the stage.
    inflate: tuple[int | tuple[int, ...], ...] = (0, 0, 1, 1)
    spatial_strides: PerStage = (1, 2, 2, 2)
    dilations: PerStage = (1, 1, 1, 1)
    lateral: Lateral | None = None  # the slow pathway's inputs from the fast one
    non_local: NonLocal | None = None

    def __post_init__(self) -> None:
        if self.depth not in DEPTHS:
            raise ValueError(f"a pathway has one of the depths {sorted(DEPTHS)}, not {self.depth}")
        for stage, count in enumerate(DEPTHS[self.depth][1]):
            inflate = self.inflate[stage]
            if isinstance(inflate, tuple) and len(inflate) != count:
                raise ValueError(
                    f"inflate of stage {stage} is for {len(inflate)} of {count} blocks"
                )
            for block in self.non_local.at[stage] if self.non_local else ():
                if not 0 <= block < count:
                    raise ValueError(f"stage {stage} has no block {block} for a non-local one")

    def channels(self) -> tuple[int, ...]:
        """Behind the stem and the four stages."""
        expansion = DEPTHS[self.depth][0].expansion
        widths = (self.base_channels * 2**stage * expansion for stage in STAGES)
        return (self.base_channels, *widths)

    def blocks(self, stage: int) -> list[BlockShape]:
        """The blocks of stage 0..3; only the first one strides."""
        count = DEPTHS[self.depth][1][stage]
        inflate = self.inflate[stage]
        per_block = inflate if isinstance(inflate, tuple) else (inflate,) * count
        strides = (self.spatial_strides[stage],) + (1,) * (count - 1)
        return [
            BlockShape(bool(inflated), stride, self.dilations[stage])
            for inflated, stride in zip(per_block, strides, strict=True)
        ]


class ResNet3d(nn.Module):
    """Stem and four stages; with a lateral, every stage also takes features of the other pathway.

    Args:
        pathway: depth, channels, kernels and strides.
        zero_init_residual: a block starts as its shortcut (Goyal et al. 2017, 5.1).
    """

    def __init__(self, pathway: Pathway, *, zero_init_residual: bool = True) -> None:
        super().__init__()
        self._frozen_stages, self._norm_eval, self._with_cp = -1, False, False
        self._block = DEPTHS[pathway.depth][0]
        channels = pathway.channels()
        self.conv1 = ConvModule(3, channels[0], pathway.conv1_kernel, (1, 2, 2))
        self.maxpool = nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1))
        for stage in STAGES:
            planes = pathway.base_channels * 2**stage
            in_channels = channels[stage]
            if pathway.lateral is not None:
                self.add_module(_lateral_name(stage), pathway.lateral.conv(stage))
                in_channels += pathway.lateral.out_channels(stage)
            self.add_module(f"layer{stage + 1}", self._stage(in_channels, planes, pathway, stage))
        self.out_channels = channels[-1]
        self._initialize(zero_init_residual)

    def _stage(self, in_channels: int, planes: int, pathway: Pathway, stage: int) -> nn.Sequential:
        blocks = nn.Sequential()
        for shape in pathway.blocks(stage):
            blocks.append(self._block(in_channels, planes, shape))
            in_channels = planes * self._block.expansion
        if pathway.non_local is not None:
            for index in pathway.non_local.at[stage]:
                blocks[index].non_local = NonLocalBlock(in_channels, pathway.non_local)
        return blocks

    def stem(self, clip: Tensor) -> Tensor:
        """(B, 3, T, H, W) -> (B, base_channels, T, H/4, W/4)."""
        return cast(Tensor, self.maxpool(self.conv1(clip)))

    def stage(self, index: int, x: Tensor) -> Tensor:
        """Stage 0..3: (B, C, T, H, W) -> (B, C', T, H', W')."""
        for block in cast(nn.Sequential, self.get_submodule(f"layer{index + 1}")):
            keep = not (self._with_cp and self.training and torch.is_grad_enabled())
            x = block(x) if keep else checkpointed(block, x)
        return x

    def lateral(self, index: int, fast: Tensor) -> Tensor:
        """The connection in front of stage 0..3: (B, C, T, H, W) -> (B, C', T / alpha, H, W)."""
        return cast(Tensor, self.get_submodule(_lateral_name(index))(fast))

    def forward(self, clip: Tensor) -> Tensor:
        """(B, 3, T, H, W) -> (B, out_channels, T, H/32, W/32), for a pathway without laterals."""
        x = self.stem(clip)
        for index in STAGES:
            x = self.stage(index, x)
        return x

    def configure_training(
        self, *, frozen_stages: int = -1, norm_eval: bool = False, with_cp: bool = False
    ) -> None:
        """What of the network is trained, and how much memory that takes.

        Args:
            frozen_stages: -1 for none, 0 for the stem, n for the stem and the first n stages with
                the laterals between them, as in mmaction2.
            norm_eval: batch norms keep the statistics that they came with.
            with_cp: activations inside a block are computed again instead of kept.

        Raises:
            ValueError: if there are not that many stages.
        """
        if not -1 <= frozen_stages <= len(STAGES):
            raise ValueError(f"frozen_stages is -1 (none) to {len(STAGES)}, not {frozen_stages}")
        self._frozen_stages, self._norm_eval, self._with_cp = frozen_stages, norm_eval, with_cp
        self.requires_grad_(True)
        for module in self._frozen():
            module.requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """Training mode, except for what is frozen."""
        super().train(mode)
        for module in self._frozen():
            module.eval()
        if self._norm_eval:
            for module in self.modules():
                if isinstance(module, nn.BatchNorm3d):
                    module.eval()
        return self

    def _frozen(self) -> list[nn.Module]:
        if self._frozen_stages < 0:
            return []
        names = [f"layer{stage}" for stage in range(1, self._frozen_stages + 1)]
        names += [f"{name}_lateral" for name in names]
        children = dict(self.named_children())
        return [self.conv1, *(children[name] for name in names if name in children)]

    def _initialize(self, zero_init_residual: bool) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, ResidualBlock) and zero_init_residual:
                nn.init.zeros_(module.last_norm().weight)
            elif isinstance(module, NonLocalBlock):
                nn.init.zeros_(module.bn.weight)


def _lateral_name(stage: int) -> str:
    return "conv1_lateral" if stage == 0 else f"layer{stage}_lateral"
