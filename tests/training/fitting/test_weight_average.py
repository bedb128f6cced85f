"""The moving average."""

from __future__ import annotations

import pytest
import torch

from models.slowfast.recognizer3d import Recognizer3D
from tests.training.factories import tiny_model
from training.fitting.weight_average import WeightAverage


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
    norm = average.model.backbone.slow_path.conv1.bn
    assert norm.num_batches_tracked == 2
    assert not torch.equal(norm.running_mean, model.backbone.slow_path.conv1.bn.running_mean)


def test_no_decay_keeps_the_newest_weights() -> None:
    model = tiny_model()
    average = WeightAverage(model, decay=0.0)
    for value in (1.0, 5.0):
        set_bias(model, value)
        average.update(model)
    assert bias(average.model) == 5.0
