"""Learning rates per part, and what decays."""

from __future__ import annotations

import pytest
import torch

from models.slowfast.recognizer3d import Recognizer3D
from tests.training.factories import tiny_model
from training.fitting.optimization import (
    LearningRateSchedule,
    OptimizerSpec,
    WeightAverage,
    build_optimizer,
)


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


def test_frozen_weights_are_excluded() -> None:
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


def factors(schedule: LearningRateSchedule) -> list[float]:
    return [schedule.factor(step) for step in range(schedule.steps)]


def test_the_learning_rate_rises_then_falls_to_nothing() -> None:
    found = factors(LearningRateSchedule(steps=100))
    assert 0 < found[0] < found[4] < found[5] == max(found) == 1
    assert sorted(found[5:], reverse=True) == found[5:]
    assert 0 < found[-1] < 0.01


def test_steps_fall_at_their_shares_of_the_run() -> None:
    schedule = LearningRateSchedule(
        steps=100, name="step", warm_up_fraction=0.0, step_at=(0.6, 0.8), step_factor=0.1
    )
    found = factors(schedule)
    assert found[59] == 1
    assert found[60] == pytest.approx(0.1)
    assert found[99] == pytest.approx(0.01)


def test_without_warm_up_the_first_step_is_a_full_one() -> None:
    assert LearningRateSchedule(steps=100, warm_up_fraction=0.0).factor(0) == 1


def bias(model: Recognizer3D) -> float:
    return float(model.cls_head.fc_cls.bias[0].detach())


def set_bias(model: Recognizer3D, value: float) -> None:
    torch.nn.init.constant_(model.cls_head.fc_cls.bias, value)


def test_the_average_follows_the_weights_with_its_decay() -> None:
    model = tiny_model()
    average = WeightAverage(model, decay=0.25)  # below (1 + n) / (10 + n) from n = 2 on
    set_bias(model, 1.0)
    average.update(model)
    assert bias(average.model) == 1.0  # the first weights are taken as they are
    set_bias(model, 3.0)
    average.update(model)
    assert bias(average.model) == pytest.approx(1 + 2 * 9 / 11)  # decay (1 + 1) / (10 + 1)
    average.update(model)
    before = 1 + 2 * 9 / 11
    assert bias(average.model) == pytest.approx(before + (3 - before) * 0.75)


def test_a_long_run_is_averaged_over_its_decay() -> None:
    model = tiny_model()
    average = WeightAverage(model, decay=0.9)
    set_bias(model, 0.0)
    for _ in range(200):
        average.update(model)
    set_bias(model, 1.0)
    average.update(model)
    assert bias(average.model) == pytest.approx(0.1)


def test_batch_norm_statistics_are_averaged_and_batches_counted() -> None:
    model = tiny_model()
    average = WeightAverage(model, decay=0.5)
    for _ in range(2):
        model.train()(torch.randn(2, 3, 16, 32, 32))
        average.update(model)
    norm = average.model.backbone.slow.stem.bn
    assert norm.num_batches_tracked == 2
    assert not torch.equal(norm.running_mean, model.backbone.slow.stem.bn.running_mean)


def test_no_decay_keeps_the_newest_weights() -> None:
    model = tiny_model()
    average = WeightAverage(model, decay=0.0)
    for value in (1.0, 5.0):
        set_bias(model, value)
        average.update(model)
    assert bias(average.model) == 5.0
