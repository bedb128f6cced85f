"""Which parts of a backbone training changes."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from models.slowfast.backbone import Backbone
from models.slowfast.residual_blocks import ResidualBlock
from models.slowfast.resnet3d import Pathway
from models.slowfast.slowfast import Lateral, ResNet3dSlowFast, ResNet3dSlowOnly

PATHWAY = Pathway(depth=18, base_channels=4, stem_kernel=(5, 7, 7), inflate=(1, 1, 1, 1))


def small_backbone() -> ResNet3dSlowOnly:
    torch.manual_seed(0)
    return ResNet3dSlowOnly(PATHWAY).eval()


def statistics(backbone: Backbone) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in backbone.named_buffers()}


def test_frozen_stages_change_neither_their_weights_nor_their_statistics() -> None:
    torch.manual_seed(0)
    fast = Pathway(depth=18, base_channels=2)
    lateral = Lateral(alpha=1, fusion_kernel=5, norm=True)
    backbone = ResNet3dSlowFast(PATHWAY, fast, lateral).train()
    backbone.configure_training(frozen_stages=1)
    learning = {name for name, p in backbone.named_parameters() if p.requires_grad}
    frozen = {name for name, _ in backbone.named_parameters()} - learning
    parts = {".".join(name.split(".")[:2]) for name in frozen}
    assert parts == {"slow.stem", "slow.res2", "fast.stem", "fast.res2", "laterals.1"}
    before = statistics(backbone)
    backbone(torch.randn(2, 3, 4, 32, 32), torch.randn(2, 3, 4, 32, 32))
    changed = {
        name for name, value in backbone.named_buffers() if not torch.equal(value, before[name])
    }
    stages = {f"{path}.{stage}" for path in ("slow", "fast") for stage in ("res3", "res4", "res5")}
    laterals = {f"laterals.{number}" for number in (0, 2, 3)}
    assert {".".join(name.split(".")[:2]) for name in changed} == stages | laterals
    backbone.configure_training()
    assert all(p.requires_grad for p in backbone.parameters())
    assert backbone.slow.res2.training and backbone.laterals[1].training


def test_only_stages_that_are_there_can_be_frozen() -> None:
    with pytest.raises(ValueError, match="to 4, not 5"):
        small_backbone().configure_training(frozen_stages=5)


def test_norm_eval_keeps_every_statistic() -> None:
    backbone = small_backbone()
    backbone.configure_training(norm_eval=True)
    backbone.train()
    before = statistics(backbone)
    backbone(torch.randn(2, 3, 4, 32, 32))
    assert all(torch.equal(value, before[name]) for name, value in backbone.named_buffers())
    assert backbone.training and all(p.requires_grad for p in backbone.parameters())


def test_checkpointed_activations_change_neither_gradients_nor_statistics() -> None:
    plain = small_backbone().train()
    for block in (m for m in plain.modules() if isinstance(m, ResidualBlock)):
        nn.init.ones_(block.last_norm().weight)
    saving = copy.deepcopy(plain)
    saving.configure_training(activation_checkpointing=True)
    clip = torch.randn(2, 3, 4, 32, 32)
    for backbone in (plain, saving):
        (features,) = backbone(clip)
        features.square().mean().backward()
    for (name, expected), found in zip(plain.named_parameters(), saving.parameters(), strict=True):
        torch.testing.assert_close(
            found.grad, expected.grad, msg=lambda text, n=name: f"{n}: {text}"
        )
    for name, expected in plain.named_buffers():
        assert torch.equal(saving.get_buffer(name), expected), name
