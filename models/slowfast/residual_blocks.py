"""What a 3D ResNet is built of: convolution with batch norm, two residual blocks, the stage.

Attributes inside a block have mmaction2's names: `conv1.conv`, `conv1.bn`, `downsample.conv`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import ClassVar, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.utils.checkpoint import checkpoint

Kernel3d = tuple[int, int, int]  # time, height, width


class ConvModule(nn.Module):
    """Convolution without bias, then batch norm and ReLU unless switched off.

    Padding keeps T, H and W where the stride is 1. The batch norm keeps PyTorch's eps of 1e-5,
    which all public SlowFast weights were trained with.

    Args:
        in_channels: of the input.
        out_channels: of the output.
        kernel: of the convolution.
        stride: of the convolution.
        dilation: of the convolution, in space only.
        norm: batch norm behind the convolution.
        relu: ReLU at the end.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: Kernel3d,
        stride: Kernel3d = (1, 1, 1),
        *,
        dilation: int = 1,
        norm: bool = True,
        relu: bool = True,
    ) -> None:
        super().__init__()
        dilations = (1, dilation, dilation)  # in space only
        t, h, w = (d * (k - 1) // 2 for d, k in zip(dilations, kernel, strict=True))
        self.conv = nn.Conv3d(
            in_channels, out_channels, kernel, stride, (t, h, w), dilations, bias=False
        )
        if norm:
            self.bn = nn.BatchNorm3d(out_channels)
        self._norm, self._relu = norm, relu

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, T, H, W) -> (B, out_channels, T', H', W'), divided by the stride."""
        x = self.conv(x)
        if self._norm:
            x = self.bn(x)
        return torch.relu_(x) if self._relu else x

    def fold_norm(self) -> None:
        """Merge the batch norm's running scale and shift into the convolution, for inference."""
        if self._norm:
            self.conv = fuse_conv_bn_eval(self.conv, self.bn)
            self._norm = False
            del self.bn


@dataclass(frozen=True, slots=True)
class BlockShape:
    """The numbers of one residual block, its channels aside."""

    inflate: bool  # a temporal kernel of 3, so that a frame sees its neighbours; else 1
    spatial_stride: int = 1
    dilation: int = 1  # of its 3x3 convolutions, in space

    @property
    def stride(self) -> Kernel3d:
        """Time is never strided: SlowFast keeps T to the end."""
        return (1, self.spatial_stride, self.spatial_stride)


class ResidualBlock(nn.Module, ABC):
    """ReLU(residual(x) + shortcut(x)); the subclass defines the residual.

    Args:
        in_channels: of the input.
        planes: of the block's inner convolutions; the output has planes * expansion channels.
        shape: stride, temporal kernel and dilation.
    """

    expansion: ClassVar[int]

    def __init__(self, in_channels: int, planes: int, shape: BlockShape) -> None:
        super().__init__()
        out_channels = planes * self.expansion
        self.downsample: nn.Module | None = None
        self.non_local: nn.Module | None = None  # behind the block; set by ResNet3d, rare
        if shape.spatial_stride != 1 or in_channels != out_channels:
            self.downsample = ConvModule(
                in_channels, out_channels, (1, 1, 1), shape.stride, relu=False
            )

    @abstractmethod
    def residual(self, x: Tensor) -> Tensor:
        """(B, in_channels, T, H, W) -> (B, planes * expansion, T, H', W'), before the sum."""

    @abstractmethod
    def last_norm(self) -> nn.BatchNorm3d:
        """Return the batch norm in front of the sum, which may start at zero."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, T, H, W) -> (B, planes * expansion, T, H', W')."""
        shortcut = x if self.downsample is None else self.downsample(x)
        x = torch.relu_(self.residual(x) + shortcut)
        return x if self.non_local is None else cast(Tensor, self.non_local(x))


class BasicBlock3d(ResidualBlock):
    """Two 3x3 convolutions, the first with the stride; inflated, both are 3x3x3 (ResNet 18, 34)."""

    expansion = 1

    def __init__(self, in_channels: int, planes: int, shape: BlockShape) -> None:
        super().__init__(in_channels, planes, shape)
        kernel: Kernel3d = (3, 3, 3) if shape.inflate else (1, 3, 3)
        self.conv1 = ConvModule(in_channels, planes, kernel, shape.stride, dilation=shape.dilation)
        self.conv2 = ConvModule(planes, planes, kernel, relu=False)

    def residual(self, x: Tensor) -> Tensor:
        """See `ResidualBlock.residual`."""
        return cast(Tensor, self.conv2(self.conv1(x)))

    def last_norm(self) -> nn.BatchNorm3d:
        """See `ResidualBlock.last_norm`."""
        return self.conv2.bn


class Bottleneck3d(ResidualBlock):
    """1x1, 3x3, 1x1, the 3x3 with the stride; inflated, the first is 3x1x1 (ResNet 50 and up)."""

    expansion = 4

    def __init__(self, in_channels: int, planes: int, shape: BlockShape) -> None:
        super().__init__(in_channels, planes, shape)
        self.conv1 = ConvModule(in_channels, planes, (3 if shape.inflate else 1, 1, 1))
        self.conv2 = ConvModule(planes, planes, (1, 3, 3), shape.stride, dilation=shape.dilation)
        self.conv3 = ConvModule(planes, planes * self.expansion, (1, 1, 1), relu=False)

    def residual(self, x: Tensor) -> Tensor:
        """See `ResidualBlock.residual`."""
        return cast(Tensor, self.conv3(self.conv2(self.conv1(x))))

    def last_norm(self) -> nn.BatchNorm3d:
        """See `ResidualBlock.last_norm`."""
        return self.conv3.bn


class ResidualStage(nn.Sequential):
    """The residual blocks of res2, res3, res4 or res5, in order.

    Args:
        blocks: their input and output channels fit each other.
    """

    recompute_activations = False  # in training, see `checkpointed`

    def __init__(self, *blocks: ResidualBlock) -> None:
        super().__init__(*blocks)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, H, W) -> (B, planes * expansion, T, H', W'); the first block strides."""
        recompute = self.recompute_activations and self.training and torch.is_grad_enabled()
        for block in self:
            x = checkpointed(block, x) if recompute else block(x)
        return x


# Activation checkpointing: less memory in training for a second forward pass.


def checkpointed(block: nn.Module, x: Tensor) -> Tensor:
    """Return `block(x)`, recomputing its inner activations in the backward pass.

    Batch norms update their running statistics once, not twice as with a bare
    `torch.utils.checkpoint` (and with mmaction2's `with_cp`).
    """

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _frozen_statistics(block)  # of the first and of the second pass

    return cast(Tensor, checkpoint(block, x, use_reentrant=False, context_fn=contexts))


@contextmanager
def _frozen_statistics(block: nn.Module) -> Iterator[None]:
    norms = [module for module in block.modules() if isinstance(module, nn.BatchNorm3d)]
    saved = [(norm, norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
        norm.num_batches_tracked = None
    try:
        yield
    finally:
        for norm, momentum, count in saved:
            norm.momentum = momentum
            norm.num_batches_tracked = count
