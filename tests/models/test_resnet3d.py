"""A pathway's shapes and depths."""

from __future__ import annotations

import pytest
import torch

from models.residual_blocks import Bottleneck3d
from models.resnet3d import Lateral, ResNet3d


def small_pathway(depth: int = 18) -> ResNet3d:
    torch.manual_seed(0)
    return ResNet3d(depth, base_channels=4, conv1_kernel=(5, 7, 7), inflate=(1, 1, 1, 1)).eval()


@pytest.mark.parametrize(("depth", "channels"), [(18, 32), (34, 32), (50, 128)])
def test_time_is_kept_and_space_divided_by_32(depth: int, channels: int) -> None:
    features = small_pathway(depth)(torch.zeros(1, 3, 4, 64, 96))
    assert features.shape == (1, channels, 4, 2, 3)


@pytest.mark.parametrize(("depth", "blocks"), [(50, 16), (101, 33), (152, 50)])
def test_depth_counts_blocks(depth: int, blocks: int) -> None:
    assert sum(isinstance(m, Bottleneck3d) for m in small_pathway(depth).modules()) == blocks


def test_unknown_depth_is_named() -> None:
    with pytest.raises(ValueError, match="not 42"):
        small_pathway(42)


def test_a_frame_sees_its_neighbours_only_where_inflated() -> None:
    torch.manual_seed(0)
    flat = ResNet3d(18, base_channels=4, conv1_kernel=(1, 7, 7), inflate=(0, 0, 0, 0)).eval()
    clip = torch.randn(1, 3, 4, 32, 32)
    changed = clip.clone()
    changed[:, :, 3] += 1
    assert torch.equal(flat(clip)[:, :, :3], flat(changed)[:, :, :3])
    deep = small_pathway()
    assert not torch.allclose(deep(clip)[:, :, 2], deep(changed)[:, :, 2])


def test_lateral_adds_fusion_ratio_times_the_fast_channels() -> None:
    lateral = Lateral(alpha=4, beta_inv=8, fusion_kernel=7)
    assert lateral.conv(256)(torch.zeros(1, 32, 8, 2, 2)).shape == (1, 64, 2, 2, 2)
