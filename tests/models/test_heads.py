"""The head's column order and the losses of mmaction2."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.heads import BaseHead, SlowFastHead
from tests.models.slowfast_fixtures import MAX_ERROR, fixture_folder, load_recipe


@pytest.mark.parametrize(("fast_first", "expected"), [(True, [2.0, 2.0, 1.0]), (False, [1, 1, 2])])
def test_columns_are_in_the_order_of_the_family(fast_first: bool, expected: list[float]) -> None:
    head = SlowFastHead(3, (2, 1) if not fast_first else (1, 2), fast_first=fast_first).eval()
    slow_channels, fast_channels = (1, 2) if fast_first else (2, 1)
    head.fc_cls.weight.data = torch.eye(3)  # the logits are the pooled columns
    slow = torch.full((1, slow_channels, 2, 2, 2), 1.0)
    fast = torch.full((1, fast_channels, 8, 2, 2), 2.0)
    assert head(slow, fast).tolist() == [expected]


def test_the_head_alone_gives_the_scores_of_mmaction2(shared_data: Path) -> None:
    folder = fixture_folder(shared_data)
    recipe = load_recipe(folder)
    head = SlowFastHead(101, (2048, 256)).eval()
    for key, value in head.state_dict().items():
        value.copy_(torch.from_numpy(recipe.tensor(key, value.shape, "head/")))
    slow = torch.from_numpy(recipe.feature("open:head.slow", (2, 2048, 4, 4, 4)))
    fast = torch.from_numpy(recipe.feature("open:head.fast", (2, 256, 32, 4, 4)))
    (expected,) = np.load(folder / "slowfast_head_101.npz").values()
    with torch.inference_mode():
        error = np.abs(head(slow, fast).numpy() - expected).max()
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
        self.weight = torch.tensor(self.json["class_weight"])

    def check(self, case: str, losses: dict[str, torch.Tensor]) -> None:
        """Compare with what mmaction2 0.24.1 says."""
        expected = self.json["cases"][case]["expected"]
        assert {name: value.item() for name, value in losses.items()} == pytest.approx(
            expected, rel=1e-5
        )


@pytest.fixture(scope="module")
def cases(shared_data: Path) -> LossCases:
    return LossCases(fixture_folder(shared_data))


def test_single_label_losses_are_those_of_mmaction2(cases: LossCases) -> None:
    head, weighted = BaseHead(101), BaseHead(101, class_weight=cases.weight)
    cases.check("single_label", head.loss(cases.scores, cases.labels))
    cases.check("single_label_class_weight", weighted.loss(cases.scores, cases.labels))
    cases.check("scalar_label", head.loss(cases.scores[:1], cases.labels[2]))
    cases.check("one_element_label", head.loss(cases.scores[:1], cases.labels[2:3]))


def test_soft_label_losses_are_those_of_mmaction2(cases: LossCases) -> None:
    cases.check("soft_label_ce", BaseHead(101).loss(cases.scores, cases.soft))
    weighted = BaseHead(101, class_weight=cases.weight)
    cases.check("soft_label_ce_class_weight", weighted.loss(cases.scores, cases.soft))


def test_multi_label_losses_are_those_of_mmaction2(cases: LossCases) -> None:
    head = BaseHead(101, multi_label=True)
    smooth = BaseHead(101, multi_label=True, label_smooth_eps=0.1)
    weighted = BaseHead(101, multi_label=True, class_weight=cases.weight)
    cases.check("multi_class_bce", head.loss(cases.scores, cases.multi_hot))
    cases.check("multi_class_bce_smooth_0.1", smooth.loss(cases.scores, cases.multi_hot))
    cases.check("multi_class_bce_class_weight", weighted.loss(cases.scores, cases.multi_hot))
    one = smooth.loss(cases.scores[1:2], cases.multi_hot[1])
    cases.check("multi_class_bce_smooth_0.1_one_sample_1d_label", one)


def test_single_labels_are_smoothed_as_in_mmaction2_1x(cases: LossCases) -> None:
    losses = BaseHead(101, label_smooth_eps=0.1).loss(cases.scores, cases.labels)
    other = cases.json["cases"]["single_label_smooth_0.1_not_multi_class"]["other_versions"]
    assert losses["loss_cls"].item() == pytest.approx(other["v1.2.0"]["loss_cls"], rel=1e-5)


def test_few_classes_have_a_top5_accuracy_too() -> None:
    losses = BaseHead(3).loss(torch.tensor([[0.0, 1.0, 2.0]]), torch.tensor([0]))
    assert (losses["top1_acc"].item(), losses["top5_acc"].item()) == (0.0, 1.0)


def test_scores_sum_to_one_only_for_single_labels() -> None:
    logits = torch.tensor([[2.0, 2.0, 2.0]])
    assert BaseHead(3).scores(logits).sum().item() == pytest.approx(1)
    assert BaseHead(3, multi_label=True).scores(logits).min().item() > 0.8
