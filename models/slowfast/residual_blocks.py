"""What a 3D ResNet is made of: convolution with batch norm, and the two residual blocks.

Attribute names equal mmaction2's (`conv1.conv`, `conv1.bn`, `downsample.conv`, ...): they are the
keys of public checkpoints.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

Kernel3d = tuple[int, int, int]


class ConvModule(nn.Module):
    """Convolution without bias, then batch norm and ReLU where asked for.

    The batch norm keeps PyTorch's eps of 1e-5, which all public SlowFast weights were made with.
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
        """(B, C_in, T, H, W) -> (B, C_out, T', H', W')."""
        x = self.conv(x)
        if self._norm:
            x = self.bn(x)
        return torch.relu_(x) if self._relu else x

    def fold_norm(self) -> None:
        """Move the batch norm's fixed scale and shift into the convolution; inference only."""
        if self._norm:
            self.conv = fuse_conv_bn_eval(self.conv, self.bn)
            self._norm = False
            del self.bn


@dataclass(frozen=True, slots=True)
class BlockShape:
    """What one residual block looks like inside."""

    inflate: bool  # it sees neighbouring frames
    spatial_stride: int = 1
    dilation: int = 1  # of its 3x3 convolutions, in space

    @property
    def stride(self) -> Kernel3d:
        """Time is never strided: SlowFast keeps T to the end."""
        return (1, self.spatial_stride, self.spatial_stride)


class ResidualBlock(nn.Module, ABC):
    """What both kinds of block share: the shortcut and the sum."""

    expansion: ClassVar[int]

    def __init__(self, in_channels: int, planes: int, shape: BlockShape) -> None:
        super().__init__()
        out_channels = planes * self.expansion
        self.downsample: nn.Module | None = None
        self.non_local: nn.Module | None = None  # behind the block, where the pathway has one
        if shape.spatial_stride != 1 or in_channels != out_channels:
            self.downsample = ConvModule(
                in_channels, out_channels, (1, 1, 1), shape.stride, relu=False
            )

    @abstractmethod
    def residual(self, x: Tensor) -> Tensor:
        """The branch beside the shortcut."""

    @abstractmethod
    def last_norm(self) -> nn.BatchNorm3d:
        """The batch norm in front of the sum."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, H, W) -> (B, planes * expansion, T', H', W')."""
        shortcut = x if self.downsample is None else self.downsample(x)
        x = torch.relu_(self.residual(x) + shortcut)
        return x if self.non_local is None else cast(Tensor, self.non_local(x))


class BasicBlock3d(ResidualBlock):
    """Two 3x3 convolutions, the first with the stride; inflated, both are 3x3x3."""

    expansion = 1

    def __init__(self, in_channels: int, planes: int, shape: BlockShape) -> None:
        super().__init__(in_channels, planes, shape)
        kernel: Kernel3d = (3, 3, 3) if shape.inflate else (1, 3, 3)
        self.conv1 = ConvModule(in_channels, planes, kernel, shape.stride, dilation=shape.dilation)
        self.conv2 = ConvModule(planes, planes, kernel, relu=False)

    def residual(self, x: Tensor) -> Tensor:
        """The branch beside the shortcut."""
        return cast(Tensor, self.conv2(self.conv1(x)))

    def last_norm(self) -> nn.BatchNorm3d:
        """The batch norm in front of the sum."""
        return self.conv2.bn


class Bottleneck3d(ResidualBlock):
    """1x1, 3x3, 1x1; inflated, the first is the temporal one (3x1x1). The 3x3 has the stride."""

    expansion = 4

    def __init__(self, in_channels: int, planes: int, shape: BlockShape) -> None:
        super().__init__(in_channels, planes, shape)
        self.conv1 = ConvModule(in_channels, planes, (3 if shape.inflate else 1, 1, 1))
        self.conv2 = ConvModule(planes, planes, (1, 3, 3), shape.stride, dilation=shape.dilation)
        self.conv3 = ConvModule(planes, planes * self.expansion, (1, 1, 1), relu=False)

    def residual(self, x: Tensor) -> Tensor:
        """The branch beside the shortcut."""
        return cast(Tensor, self.conv3(self.conv2(self.conv1(x))))

    def last_norm(self) -> nn.BatchNorm3d:
        """The batch norm in front of the sum."""
        return self.conv3.bn
