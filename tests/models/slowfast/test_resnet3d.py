"""A pathway's shapes and depths, and what of it is trained."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from models.slowfast.residual_blocks import Bottleneck3d, ResidualBlock
from models.slowfast.resnet3d import Lateral, Pathway, ResNet3d


def small_pathway(depth: int = 18, *, lateral: Lateral | None = None) -> ResNet3d:
    torch.manual_seed(0)
    pathway = Pathway(
        depth=depth,
        base_channels=4,
        conv1_kernel=(5, 7, 7),
        inflate=(1, 1, 1, 1),
        lateral=lateral,
    )
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
    names = [f"layer3.{block}.conv1.conv.weight" for block in (0, 1)]
    weights = ResNet3d(pathway).state_dict()
    assert [weights[name].shape[2] for name in names] == [3, 1]
    with pytest.raises(ValueError, match="stage 2 is for 3 of 2 blocks"):
        Pathway(depth=18, inflate=(0, 0, (1, 0, 1), 1))


def test_lateral_adds_fusion_ratio_times_the_fast_channels() -> None:
    lateral = Lateral((8, 32, 64, 128), alpha=4, fusion_kernel=7)
    assert lateral.conv(1)(torch.zeros(1, 32, 8, 2, 2)).shape == (1, 64, 2, 2, 2)


def test_a_lateral_with_norm_also_rectifies() -> None:
    torch.manual_seed(0)
    fast = torch.randn(1, 32, 8, 2, 2)
    bare, normed = (
        Lateral((8, 32, 64, 128), 4, 7, norm=norm).conv(1).eval() for norm in (False, True)
    )
    assert bare(fast).min() < 0 == normed(fast).min()
    assert not hasattr(bare, "bn")


def test_a_block_starts_as_its_shortcut_unless_told_otherwise() -> None:
    def last_norms(resnet: ResNet3d) -> list[float]:
        blocks = [m for m in resnet.modules() if isinstance(m, ResidualBlock)]
        return [block.last_norm().weight.abs().max().item() for block in blocks]

    assert max(last_norms(small_pathway())) == 0
    pathway = Pathway(depth=18, base_channels=4)
    assert min(last_norms(ResNet3d(pathway, zero_init_residual=False))) == 1


def statistics(resnet: ResNet3d) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in resnet.named_buffers()}


def test_frozen_stages_neither_learn_nor_change_their_statistics() -> None:
    resnet = small_pathway(lateral=Lateral((2, 2, 4, 8), alpha=1, fusion_kernel=5)).train()
    resnet.configure_training(frozen_stages=1)
    learning = {name for name, p in resnet.named_parameters() if p.requires_grad}
    frozen = {name for name, _ in resnet.named_parameters()} - learning
    assert {name.split(".")[0] for name in frozen} == {"conv1", "layer1", "layer1_lateral"}
    before = statistics(resnet)
    x = resnet.stem(torch.randn(2, 3, 4, 32, 32))
    fast = torch.randn(2, 2, 4, 8, 8)
    x = resnet.stage(0, torch.cat([x, resnet.lateral(0, fast)], dim=1))
    resnet.stage(1, torch.cat([x, resnet.lateral(1, fast)], dim=1))
    changed = {
        name for name, value in resnet.named_buffers() if not torch.equal(value, before[name])
    }
    assert {name.split(".")[0] for name in changed} == {"layer2"}
    resnet.configure_training()
    assert all(p.requires_grad for p in resnet.parameters())
    assert resnet.layer1.training


def test_only_stages_that_are_there_can_be_frozen() -> None:
    with pytest.raises(ValueError, match="to 4, not 5"):
        small_pathway().configure_training(frozen_stages=5)


def test_norm_eval_keeps_every_statistic() -> None:
    resnet = small_pathway()
    resnet.configure_training(norm_eval=True)
    resnet.train()
    before = statistics(resnet)
    resnet(torch.randn(2, 3, 4, 32, 32))
    assert all(torch.equal(value, before[name]) for name, value in resnet.named_buffers())
    assert resnet.training and all(p.requires_grad for p in resnet.parameters())


def test_checkpointed_activations_change_neither_gradients_nor_statistics() -> None:
    plain = small_pathway().train()
    for block in (m for m in plain.modules() if isinstance(m, ResidualBlock)):
        nn.init.ones_(block.last_norm().weight)
    saving = copy.deepcopy(plain)
    saving.configure_training(with_cp=True)
    clip = torch.randn(2, 3, 4, 32, 32)
    for resnet in (plain, saving):
        resnet(clip).square().mean().backward()
    for (name, expected), found in zip(plain.named_parameters(), saving.parameters(), strict=True):
        torch.testing.assert_close(
            found.grad, expected.grad, msg=lambda text, n=name: f"{n}: {text}"
        )
    for name, expected in plain.named_buffers():
        assert torch.equal(saving.get_buffer(name), expected), name
