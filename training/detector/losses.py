"""Distillation losses between student and teacher: features, person logits, boxes.

The box and class terms follow ultralytics' detection loss (its weights 7.5, 1.5 and 0.5), with the
teacher's answer at every location in the place of assigned labels; weighing the class term by the
squared error is the quality focal loss of Li et al. 2020 (arXiv 2006.04388).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from training.detector.teacher import DetectorOutputs

BINS = 16  # of each distance from a location to a side of its box, in strides
CHANNEL_FLOOR = 0.1  # fraction of a layer's mean variance below which no channel counts as quieter
MIN_PERSON = 0.02  # teacher's probability below which a location has no box
IOU_WEIGHT, BINS_WEIGHT, PERSON_WEIGHT = 7.5, 1.5, 3.0


@dataclass(frozen=True, slots=True, eq=False)
class Losses:
    """The terms of one batch, each a scalar tensor."""

    features: Tensor  # mean over layers of the error's ratio to the variance
    person: Tensor
    iou: Tensor
    bins: Tensor

    def total(self, features_weight: float) -> Tensor:
        """Return the weighted sum to minimise."""
        boxes = IOU_WEIGHT * self.iou + BINS_WEIGHT * self.bins
        return features_weight * self.features + PERSON_WEIGHT * self.person + boxes


def compare(student: DetectorOutputs, teacher: DetectorOutputs) -> Losses:
    """Compute all terms for one batch."""
    layers = [
        feature_error(feature, teacher.features[layer])
        for layer, feature in student.features.items()
    ]
    weight = teacher.person.float().sigmoid().squeeze(1)
    seen = weight > MIN_PERSON
    amount = weight[seen].sum().clamp(min=1)
    predicted = student.boxes.float().transpose(1, 2)[seen].view(-1, 4, BINS)
    true = teacher.boxes.float().transpose(1, 2)[seen].view(-1, 4, BINS)
    divergence = functional.kl_div(
        predicted.log_softmax(-1), true.log_softmax(-1), reduction="none", log_target=True
    ).sum(-1)
    iou = distance_iou(to_distances(predicted), to_distances(true))
    return Losses(
        features=torch.stack(layers).mean(),
        person=person_error(student.person.float(), teacher.person.float()),
        iou=((1 - iou) * weight[seen]).sum() / amount,
        bins=(divergence.mean(-1) * weight[seen]).sum() / amount,
    )


def feature_error(student: Tensor, teacher: Tensor) -> Tensor:
    """Average the squared error of (B, C, H, W) features in units of each channel's variance.

    Both in one dtype; the sums are float32.
    """
    sample = teacher[:, :, ::2, ::2].float()  # every fourth location tells enough
    variance = sample.square().mean(dim=(0, 2, 3)) - sample.mean(dim=(0, 2, 3)).square()
    variance = variance + CHANNEL_FLOOR * variance.mean()
    error: Tensor = _ScaledSquares.apply(student, teacher, variance)
    return error


class _ScaledSquares(torch.autograd.Function):
    """Mean of squared differences, each channel divided by its scale.

    Plain operations do the same, at a fifth more time for the whole training step: their
    gradients pass through float32 copies of every feature map.
    """

    @staticmethod
    def forward(ctx: Any, student: Tensor, teacher: Tensor, scale: Tensor) -> Tensor:
        difference = student.detach() - teacher
        ctx.save_for_backward(difference, scale)
        squares = (difference * difference).sum(dim=(0, 2, 3), dtype=torch.float32)
        return (squares / scale).sum() / difference.numel()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        difference, scale = ctx.saved_tensors
        factor = gradient * 2 / (difference.numel() * scale)
        return difference * factor.to(difference.dtype)[:, None, None], None, None


def person_error(student: Tensor, teacher: Tensor) -> Tensor:
    """Compute cross entropy with the teacher's probabilities, focused on the largest errors.

    Args:
        student: logits of any shape.
        teacher: logits of the same shape.

    Returns:
        The sum over all locations per person-like location of the teacher.
    """
    wanted = teacher.sigmoid()
    entropy = functional.binary_cross_entropy_with_logits(
        wanted.logit(eps=1e-6), wanted, reduction="none"
    )
    error = functional.binary_cross_entropy_with_logits(student, wanted, reduction="none") - entropy
    focus = (student.detach().sigmoid() - wanted).abs()
    return ((0.1 + focus) * error).sum() / wanted.sum().clamp(min=1)


def to_distances(bins: Tensor) -> Tensor:
    """Convert (N, 4, 16) logits to (N, 4) distances to left, top, right, bottom, in strides."""
    return bins.softmax(-1) @ torch.arange(BINS, dtype=bins.dtype)


def distance_iou(a: Tensor, b: Tensor) -> Tensor:
    """Compute generalised IoU (Rezatofighi et al. 2019), (N, 4) boxes around a location each."""
    near, far = torch.minimum(a, b), torch.maximum(a, b)
    overlap = (near[:, :2] + near[:, 2:]).clamp(min=0).prod(1)
    area_a, area_b = ((box[:, :2] + box[:, 2:]).prod(1) for box in (a, b))
    union = area_a + area_b - overlap
    hull = (far[:, :2] + far[:, 2:]).prod(1)
    iou: Tensor = overlap / (union + 1e-6) - (hull - union) / (hull + 1e-6)
    return iou
