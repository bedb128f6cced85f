"""A pathway's shapes, depths and blocks."""

from __future__ import annotations

import pytest
import torch

from models.slowfast.residual_blocks import Bottleneck3d, ResidualBlock
from models.slowfast.resnet3d import Pathway, ResNet3d


def small_pathway(depth: int = 18) -> ResNet3d:
    torch.manual_seed(0)
    pathway = Pathway(depth=depth, base_channels=4, stem_kernel=(5, 7, 7), inflate=(1, 1, 1, 1))
    return ResNet3d(pathway).eval()


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
    flat = ResNet3d(Pathway(depth=18, base_channels=4, inflate=(0, 0, 0, 0))).eval()
    clip = torch.randn(1, 3, 4, 32, 32)
    changed = clip.clone()
    changed[:, :, 3] += 1
    assert torch.equal(flat(clip)[:, :, :3], flat(changed)[:, :, :3])
    deep = small_pathway()
    assert not torch.allclose(deep(clip)[:, :, 2], deep(changed)[:, :, 2])


def test_inflation_may_differ_from_block_to_block() -> None:
    pathway = Pathway(depth=18, base_channels=4, inflate=(0, 0, (1, 0), 1))
    names = [f"res4.{block}.conv1.conv.weight" for block in (0, 1)]
    weights = ResNet3d(pathway).state_dict()
    assert [weights[name].shape[2] for name in names] == [3, 1]
    with pytest.raises(ValueError, match="res4 is for 3 of 2 blocks"):
        Pathway(depth=18, inflate=(0, 0, (1, 0, 1), 1))


def test_a_block_starts_as_its_shortcut_by_default() -> None:
    def last_norms(resnet: ResNet3d) -> list[float]:
        blocks = [m for m in resnet.modules() if isinstance(m, ResidualBlock)]
        return [block.last_norm().weight.abs().max().item() for block in blocks]

    assert max(last_norms(small_pathway())) == 0
    pathway = Pathway(depth=18, base_channels=4)
    assert min(last_norms(ResNet3d(pathway, zero_init_residual=False))) == 1
