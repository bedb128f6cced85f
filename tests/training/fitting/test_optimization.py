"""Learning rates per part, and what decays."""

from __future__ import annotations

import torch

from tests.training.factories import tiny_model
from training.fitting.optimization import OptimizerSpec, build_optimizer


def test_backbone_and_classifier_have_their_own_learning_rates() -> None:
    model = tiny_model()
    spec = OptimizerSpec(learning_rate=0.01, backbone_lr_ratio=0.1)
    rates = {
        id(weight): group["lr"]
        for group in build_optimizer(model, spec).param_groups
        for weight in group["params"]
    }
    assert {rates[id(weight)] for weight in model.cls_head.parameters()} == {0.01}
    assert {rates[id(weight)] for weight in model.backbone.parameters()} == {0.001}


def test_batch_norms_and_biases_do_not_decay() -> None:
    groups = build_optimizer(tiny_model(), OptimizerSpec(weight_decay=0.05)).param_groups
    for group in groups:
        assert all((weight.ndim > 1) == (group["weight_decay"] > 0) for weight in group["params"])


def test_frozen_weights_are_left_out() -> None:
    model = tiny_model()
    model.backbone.configure_training(frozen_stages=4)
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    groups = build_optimizer(model, OptimizerSpec()).param_groups
    listed = [weight for group in groups for weight in group["params"]]
    assert {id(weight) for weight in listed} == {id(weight) for weight in trained}
    assert len(listed) < len(list(model.parameters()))


def test_sgd_has_momentum() -> None:
    optimizer = build_optimizer(tiny_model(), OptimizerSpec(name="sgd", momentum=0.8))
    assert isinstance(optimizer, torch.optim.SGD)
    assert {group["momentum"] for group in optimizer.param_groups} == {0.8}
