"""The head's column order and the losses of mmaction2."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from models.slowfast.architecture import Architecture
from models.slowfast.heads import BaseHead, SlowFastHead
from models.slowfast.losses import LossSpec
from tests.models.slowfast_fixtures import MAX_ERROR, fixture_folder, load_recipe


def test_columns_are_fast_then_slow() -> None:
    head = SlowFastHead(3, in_channels=3).eval()
    head.fc_cls.weight.data = torch.eye(3)  # the logits are the pooled columns
    slow, fast = torch.full((1, 1, 2, 2, 2), 1.0), torch.full((1, 2, 8, 2, 2), 2.0)
    assert head((slow, fast)).tolist() == [[2.0, 2.0, 1.0]]


def test_features_are_averaged_or_their_highest_is_taken() -> None:
    features = (torch.arange(8.0).view(1, 1, 2, 2, 2),)
    for spatial_type, expected in (("avg", 3.5), ("max", 7.0)):
        head = SlowFastHead(1, in_channels=1, spatial_type=spatial_type).eval()  # type: ignore[arg-type]
        nn.init.ones_(head.fc_cls.weight)
        assert head(features).item() == expected


def test_the_head_alone_gives_the_scores_of_mmaction2(shared_data: Path) -> None:
    folder = fixture_folder(shared_data)
    recipe = load_recipe(folder)
    head = SlowFastHead(num_classes=101, in_channels=2304).eval()
    for key, value in head.state_dict().items():
        value.copy_(torch.from_numpy(recipe.tensor(key, value.shape, "head/")))
    slow = torch.from_numpy(recipe.feature("open:head.slow", (2, 2048, 4, 4, 4)))
    fast = torch.from_numpy(recipe.feature("open:head.fast", (2, 256, 32, 4, 4)))
    (expected,) = np.load(folder / "slowfast_head_101.npz").values()
    with torch.inference_mode():
        error = np.abs(head((slow, fast)).numpy() - expected).max()
    assert error / expected.std() < MAX_ERROR


class LossCases:
    """Scores and labels of the fixture's loss cases."""

    def __init__(self, folder: Path) -> None:
        self.json: dict[str, Any] = json.loads((folder / "loss.json").read_text())
        scores = self.json["scores"]
        matrix = load_recipe(folder).matrix(scores["name"], scores["shape"], scores["scale"])
        self.scores = torch.from_numpy(matrix)
        self.labels = torch.tensor(self.json["labels"])
        self.multi_hot = torch.zeros(8, 101)
        for row, positions in zip(self.multi_hot, self.json["multi_hot_positions"], strict=True):
            row[positions] = 1
        (soft,) = np.load(folder / "loss_soft_labels.npz").values()
        self.soft = torch.from_numpy(soft)
        self.weight = tuple(self.json["class_weight"])

    def check(self, case: str, losses: dict[str, torch.Tensor]) -> None:
        """Compare with the output of mmaction2 0.24.1."""
        expected = self.json["cases"][case]["expected"]
        assert {name: value.item() for name, value in losses.items()} == pytest.approx(
            expected, rel=1e-5
        )


@pytest.fixture(scope="module")
def cases(shared_data: Path) -> LossCases:
    return LossCases(fixture_folder(shared_data))


def test_single_label_losses_are_those_of_mmaction2(cases: LossCases) -> None:
    head, weighted = BaseHead(101), BaseHead(101, loss=LossSpec(class_weight=cases.weight))
    cases.check("single_label", head.loss(cases.scores, cases.labels))
    cases.check("single_label_class_weight", weighted.loss(cases.scores, cases.labels))
    cases.check("scalar_label", head.loss(cases.scores[:1], cases.labels[2]))
    cases.check("one_element_label", head.loss(cases.scores[:1], cases.labels[2:3]))
    halved = BaseHead(101, loss=LossSpec(loss_weight=0.5))
    cases.check("single_label_weight_0.5", halved.loss(cases.scores, cases.labels))
    other_ks = BaseHead(101, top_k=(1, 3, 7))
    cases.check("topk_1_3_7", other_ks.loss(cases.scores, cases.labels))
    cases.check("default_loss_cfg", head.loss(cases.scores, cases.labels))


def test_soft_label_losses_are_those_of_mmaction2(cases: LossCases) -> None:
    cases.check("soft_label_ce", BaseHead(101).loss(cases.scores, cases.soft))
    weighted = BaseHead(101, loss=LossSpec(class_weight=cases.weight))
    cases.check("soft_label_ce_class_weight", weighted.loss(cases.scores, cases.soft))


def test_multi_label_losses_are_those_of_mmaction2(cases: LossCases) -> None:
    head = BaseHead(101, multi_label=True)
    smooth = BaseHead(101, multi_label=True, loss=LossSpec(label_smooth_eps=0.1))
    weighted = BaseHead(101, multi_label=True, loss=LossSpec(class_weight=cases.weight))
    cases.check("multi_class_bce", head.loss(cases.scores, cases.multi_hot))
    cases.check("multi_class_bce_smooth_0.1", smooth.loss(cases.scores, cases.multi_hot))
    cases.check("multi_class_bce_class_weight", weighted.loss(cases.scores, cases.multi_hot))
    heavy = BaseHead(101, multi_label=True, loss=LossSpec(label_smooth_eps=0.1, loss_weight=160.0))
    cases.check("multi_class_bce_smooth_0.1_weight_160", heavy.loss(cases.scores, cases.multi_hot))
    one = smooth.loss(cases.scores[1:2], cases.multi_hot[1])
    cases.check("multi_class_bce_smooth_0.1_one_sample_1d_label", one)


def test_single_labels_are_smoothed_as_in_mmaction2_1x(cases: LossCases) -> None:
    losses = BaseHead(101, loss=LossSpec(label_smooth_eps=0.1)).loss(cases.scores, cases.labels)
    other = cases.json["cases"]["single_label_smooth_0.1_not_multi_class"]["other_versions"]
    assert losses["loss_cls"].item() == pytest.approx(other["v1.2.0"]["loss_cls"], rel=1e-5)


def test_few_classes_have_a_top5_accuracy_too() -> None:
    losses = BaseHead(3).loss(torch.tensor([[0.0, 1.0, 2.0]]), torch.tensor([0]))
    assert (losses["top1_acc"].item(), losses["top5_acc"].item()) == (0.0, 1.0)


def test_scores_sum_to_one_only_for_single_labels() -> None:
    logits = torch.tensor([[2.0, 2.0, 2.0]])
    assert BaseHead(3).scores(logits).sum().item() == pytest.approx(1)
    assert BaseHead(3, multi_label=True).scores(logits).min().item() > 0.8


@pytest.mark.parametrize(
    ("multi_label", "labels", "message"),
    [
        (False, torch.tensor([0, 3]), "label 3 is out of range: this head has 3 classes, .*0 to 2"),
        (False, torch.tensor([-1, 0]), "label -1 is out of range"),
        (False, torch.tensor([0.0, 1.0]), "class indices are integers, got torch.float32"),
        (False, torch.tensor([1]), r"labels of shape \(1,\) for scores of shape \(2, 3\)"),
        (False, torch.zeros(2, 4), r"expected \(2, 3\) or \(2,\)"),
        (True, torch.tensor([0, 1]), r"expected \(2, 3\)"),
        (True, torch.full((2, 3), 1.5), "label 1.5 is out of range.*0 to 1"),
    ],
)
def test_labels_that_cannot_be_are_named(
    multi_label: bool, labels: torch.Tensor, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        BaseHead(3, multi_label=multi_label).loss(torch.zeros(2, 3), labels)


def test_every_class_needs_its_weight() -> None:
    with pytest.raises(ValueError, match="2 class weights for 3 classes"):
        BaseHead(3, loss=LossSpec(class_weight=(1.0, 2.0)))


def test_an_unknown_way_to_pool_is_an_error() -> None:
    with pytest.raises(ValueError, match="spatial_type is avg or max, not 'median'"):
        SlowFastHead(2, in_channels=1, spatial_type="median")  # type: ignore[arg-type]
    for head, kind in (("clip", "median"), ("roi", "max")):
        with pytest.raises(ValueError, match="spatial_type"):
            Architecture(head=head, spatial_type=kind)  # type: ignore[arg-type]
