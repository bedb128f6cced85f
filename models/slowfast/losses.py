"""From logits and labels to a loss: cross entropy and focal loss, for one label or many."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True, slots=True, kw_only=True)
class LossSpec:
    """How a head is trained. The defaults are plain cross entropy.

    Raises:
        ValueError: naming the field, if a value cannot work.
    """

    label_smooth_eps: float = 0.0  # fraction of a label that is spread over all classes
    class_weight: tuple[float, ...] | None = None  # one per class; None: equal
    loss_weight: float = 1.0  # a factor of the whole loss
    # Focal loss (Lin et al. 2017, eq. 4): well-classified examples count less, by (1 - p)^gamma.
    # 0 is cross entropy, 2 the paper's choice. Its alpha is what `class_weight` does.
    focal_gamma: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.label_smooth_eps < 1:
            raise ValueError(f"label_smooth_eps is from 0 to below 1, got {self.label_smooth_eps}")
        if self.focal_gamma < 0 or self.loss_weight < 0 or min(self.class_weight or (0,)) < 0:
            raise ValueError(f"focal_gamma, loss_weight and class_weight are 0 or more, got {self}")


def multi_label_loss(logits: Tensor, labels: Tensor, weight: Tensor | None, gamma: float) -> Tensor:
    """Binary cross entropy of every class, the mean over clips and classes.

    Args:
        logits: float (B, num_classes), before sigmoid.
        labels: float (B, num_classes) in [0, 1].
        weight: float (num_classes,), or None for equal weights.
        gamma: of the focal loss.
    """
    losses = functional.binary_cross_entropy_with_logits(logits, labels, weight, reduction="none")
    if gamma:
        scores = logits.sigmoid()
        wrong = scores * (1 - labels) + (1 - scores) * labels  # 1 - p of the truth
        losses = losses * wrong**gamma
    return losses.mean()


def single_label_loss(
    logits: Tensor, labels: Tensor, weight: Tensor | None, eps: float, gamma: float
) -> Tensor:
    """Cross entropy against class indices.

    Args:
        logits: float (B, num_classes), before softmax.
        labels: int64 (B,).
        weight: float (num_classes,); the mean is weighted by it, as in PyTorch and mmaction2.
        eps: of the label smoothing.
        gamma: of the focal loss.
    """
    if not gamma:
        return functional.cross_entropy(logits, labels, weight, label_smoothing=eps)
    losses = functional.cross_entropy(logits, labels, weight, label_smoothing=eps, reduction="none")
    truth = logits.softmax(dim=1).gather(1, labels[:, None]).squeeze(1)
    total = float(len(labels)) if weight is None else weight[labels].sum()
    return (losses * (1 - truth) ** gamma).sum() / total


def soft_label_loss(logits: Tensor, labels: Tensor, weight: Tensor | None, gamma: float) -> Tensor:
    """Cross entropy against probabilities of the classes, as mixup makes them.

    Args:
        logits: float (B, num_classes), before softmax.
        labels: float (B, num_classes), rows that sum to 1.
        weight: float (num_classes,); the mean is weighted by it, as in mmaction2.
        gamma: of the focal loss.
    """
    weighted = labels if weight is None else labels * weight
    log_scores = logits.log_softmax(dim=1)
    focus = (1 - log_scores.exp()) ** gamma if gamma else 1.0
    total = float(len(labels)) if weight is None else weighted.sum()
    return -(weighted * focus * log_scores).sum() / total
