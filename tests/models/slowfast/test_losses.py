"""Focal loss beside cross entropy, against the formula of its paper."""

from __future__ import annotations

import math

import pytest
import torch

from models.slowfast.losses import LossSpec, multi_label_loss, single_label_loss, soft_label_loss

LOGITS = torch.tensor([[2.0, 0.0, -1.0], [0.5, 1.0, 0.0]])
LABELS = torch.tensor([0, 2])
WEIGHT = torch.tensor([1.0, 2.0, 3.0])


@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_gamma_zero_is_cross_entropy(weight: torch.Tensor | None) -> None:
    tiny = 1e-7  # as good as 0, but through the other formula
    plain = single_label_loss(LOGITS, LABELS, weight, 0.0, 0.0)
    torch.testing.assert_close(single_label_loss(LOGITS, LABELS, weight, 0.0, tiny), plain)
    shares = torch.tensor([[0.2, 0.8, 0.0], [0.0, 0.0, 1.0]])
    for criterion in (soft_label_loss, multi_label_loss):
        plain = criterion(LOGITS, shares, weight, 0.0)
        torch.testing.assert_close(criterion(LOGITS, shares, weight, tiny), plain)


def test_focal_loss_is_the_formula_of_the_paper() -> None:
    scores = LOGITS.softmax(dim=1)
    truth = [scores[0, 0].item(), scores[1, 2].item()]
    expected = sum(-((1 - p) ** 2) * math.log(p) for p in truth) / 2
    assert single_label_loss(LOGITS, LABELS, None, 0.0, 2.0).item() == pytest.approx(expected)


def test_focal_loss_for_many_labels_is_the_formula_of_the_paper() -> None:
    labels = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    scores = LOGITS.sigmoid()
    truth = torch.where(labels == 1, scores, 1 - scores).flatten().tolist()
    expected = sum(-((1 - p) ** 2) * math.log(p) for p in truth) / 6
    assert multi_label_loss(LOGITS, labels, None, 2.0).item() == pytest.approx(expected)


def test_one_hot_shares_and_class_indices_have_the_same_focal_loss() -> None:
    one_hot = torch.nn.functional.one_hot(LABELS, 3).float()
    torch.testing.assert_close(
        soft_label_loss(LOGITS, one_hot, WEIGHT, 2.0),
        single_label_loss(LOGITS, LABELS, WEIGHT, 0.0, 2.0),
    )


def test_what_is_already_right_counts_less() -> None:
    def fraction_of_the_easy_one(gamma: float) -> float:
        easy, hard = (
            single_label_loss(LOGITS[i : i + 1], LABELS[i : i + 1], None, 0.0, gamma).item()
            for i in range(2)
        )
        return easy / (easy + hard)

    assert fraction_of_the_easy_one(2.0) < 0.2 * fraction_of_the_easy_one(0.0)


@pytest.mark.parametrize(
    "wrong", [{"label_smooth_eps": 1.0}, {"focal_gamma": -1.0}, {"class_weight": (-1.0, 1.0)}]
)
def test_values_that_cannot_work_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        LossSpec(**wrong)  # type: ignore[arg-type]
