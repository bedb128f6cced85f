"""Convolution modules and residual blocks."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from models.slowfast.residual_blocks import BasicBlock3d, BlockShape, Bottleneck3d, ConvModule


@pytest.mark.parametrize("block", [BasicBlock3d, Bottleneck3d])
@pytest.mark.parametrize("inflate", [False, True])
def test_a_block_widens_and_strides_as_asked(
    block: type[BasicBlock3d] | type[Bottleneck3d], inflate: bool
) -> None:
    features = block(6, 4, BlockShape(inflate, spatial_stride=2))(torch.zeros(1, 6, 3, 8, 8))
    assert features.shape == (1, 4 * block.expansion, 3, 4, 4)


def test_the_shortcut_is_bare_where_nothing_changes() -> None:
    assert BasicBlock3d(4, 4, BlockShape(inflate=True)).downsample is None
    assert Bottleneck3d(16, 4, BlockShape(inflate=True)).downsample is None


def test_a_bottleneck_strides_in_its_3x3() -> None:
    block = Bottleneck3d(8, 4, BlockShape(inflate=True, spatial_stride=2))
    assert block.conv1.conv.stride == (1, 1, 1)
    assert block.conv2.conv.stride == (1, 2, 2)


def test_a_dilated_block_keeps_the_size_and_sees_further() -> None:
    torch.manual_seed(0)
    shape = BlockShape(inflate=False, dilation=2)
    for block in (BasicBlock3d(4, 4, shape), Bottleneck3d(16, 4, shape)):
        x = torch.randn(1, block.conv1.conv.in_channels, 1, 9, 9)
        changed = x.clone()
        changed[..., 4, 6] += 1
        block.eval()
        difference = (block(x) - block(changed)).abs().amax(dim=(0, 1, 2, 3))
        assert len(difference) == 9
        assert difference[4] > 0  # two columns away, which the nine cells around do not hold


def test_folding_the_norm_keeps_the_result() -> None:
    torch.manual_seed(0)
    module = ConvModule(3, 5, (1, 3, 3)).eval()
    nn.init.uniform_(module.bn.get_buffer("running_mean"), -1, 1)
    nn.init.uniform_(module.bn.get_buffer("running_var"), 0.5, 2)
    x = torch.randn(2, 3, 2, 5, 5)
    expected = module(x)
    module.fold_norm()
    torch.testing.assert_close(module(x), expected)
    assert not hasattr(module, "bn")
