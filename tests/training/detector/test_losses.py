"""The losses of the student against its teacher."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from training.detector.losses import (
    BINS,
    CHANNEL_FLOOR,
    compare,
    distance_iou,
    feature_error,
    person_error,
    to_distances,
)
from training.detector.teacher import DetectorOutputs


def made_up_answer(seed: int, person_logit: float = 2.0) -> DetectorOutputs:
    """Two images, two layers, 21 locations of which the first holds a person."""
    made = torch.Generator().manual_seed(seed)
    person = torch.full((2, 1, 21), -12.0)
    person[:, :, 0] = person_logit
    return DetectorOutputs(
        {4: torch.randn(2, 3, 8, 8, generator=made), 6: torch.randn(2, 5, 4, 4, generator=made)},
        torch.randn(2, 4 * BINS, 21, generator=made),
        person,
    )


def certain(*bins: int) -> Tensor:
    """(1, 4, 16) logits of a box whose distances are known."""
    logits = torch.zeros(1, 4, BINS)
    for side, distance in enumerate(bins):
        logits[0, side, distance] = 50.0
    return logits


def test_the_teacher_itself_makes_no_error() -> None:
    losses = compare(made_up_answer(0), made_up_answer(0))
    for term in (losses.features, losses.person, losses.iou, losses.bins, losses.total(1.0)):
        assert term.item() == pytest.approx(0, abs=1e-5)


def test_boxes_matter_only_where_the_teacher_sees_a_person() -> None:
    teacher, student = made_up_answer(0), made_up_answer(0)
    student.boxes[:, :, 5:] += torch.randn(student.boxes[:, :, 5:].shape)
    assert compare(student, teacher).bins.item() == pytest.approx(0, abs=1e-5)
    student.boxes[:, ::2, 0] += 3
    assert compare(student, teacher).bins.item() > 0.1


def test_an_image_without_people_has_no_box_loss() -> None:
    empty = made_up_answer(0, person_logit=-12.0)
    losses = compare(made_up_answer(1, person_logit=-12.0), empty)
    assert (losses.iou.item(), losses.bins.item()) == (0, 0)
    assert torch.isfinite(losses.total(1.0))


def test_a_quiet_channel_counts_as_much_as_a_loud_one() -> None:
    teacher = torch.randn(4, 2, 8, 8) * torch.tensor([1.0, 10.0])[:, None, None]
    errors = []
    for channel, size in ((0, 1.0), (1, 10.0)):
        student = teacher.clone()
        student[:, channel] += size
        errors.append(feature_error(student, teacher).item())
    # The floor under the quiet channel's variance is a tenth of the mean of 1 and 100.
    assert errors[1] / errors[0] == pytest.approx((1 + 5) / (1 + 0.05), rel=0.25)


def test_the_gradient_of_the_feature_error_is_that_of_the_plain_formula() -> None:
    torch.manual_seed(0)
    teacher, student = torch.randn(2, 3, 6, 6), torch.randn(2, 3, 6, 6, requires_grad=True)
    (fast,) = torch.autograd.grad(3 * feature_error(student, teacher), student)
    sample = teacher[:, :, ::2, ::2]
    variance = sample.var(dim=(0, 2, 3), unbiased=False)
    variance = variance + CHANNEL_FLOOR * variance.mean()
    plain = ((student - teacher).square().mean(dim=(0, 2, 3)) / variance).mean()
    (slow,) = torch.autograd.grad(3 * plain, student)
    torch.testing.assert_close(fast, slow)


def test_a_missed_person_is_a_larger_error_than_a_shaky_one() -> None:
    teacher = torch.tensor([3.0, -9.0, -9.0])
    missed = person_error(torch.tensor([-3.0, -9.0, -9.0]), teacher)
    shaky = person_error(torch.tensor([1.0, -9.0, -9.0]), teacher)
    assert missed > 10 * shaky > 0


def test_bins_become_distances() -> None:
    torch.testing.assert_close(to_distances(certain(0, 3, 15, 7)), torch.tensor([[0, 3, 15, 7.0]]))


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ((2, 2, 2, 2), (2, 2, 2, 2), 1.0),  # the same box
        ((2, 2, 2, 2), (2, 2, 0, 2), 0.5),  # its left half: no empty hull
        ((1, 1, 1, 1), (2, 2, 2, 2), 0.25),  # a quarter of its area
        ((4, 4, 0, 0), (0, 0, 4, 4), -0.5),  # corner to corner: half of the hull is empty
    ],
)
def test_overlap_of_two_boxes_around_one_location(
    a: tuple[float, ...], b: tuple[float, ...], expected: float
) -> None:
    iou = distance_iou(torch.tensor([a], dtype=torch.float), torch.tensor([b], dtype=torch.float))
    assert iou.item() == pytest.approx(expected, abs=1e-4)
