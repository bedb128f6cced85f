"""From features to class scores and losses, as in mmaction2 0.24."""

from __future__ import annotations

from typing import Literal, cast

import torch
from torch import Tensor, nn

from models.slowfast.losses import LossSpec, multi_label_loss, single_label_loss, soft_label_loss


class BaseHead(nn.Module):
    """The loss and the accuracies of a classification head.

    Args:
        num_classes: labels.
        multi_label: classes are independent (sigmoid, binary cross entropy; multi_class in
            mmaction2); False: exactly one is true (softmax, cross entropy).
        loss: weights, smoothing and focus of the loss. mmaction2 0.24 silently ignores smoothing
            for single labels; here it applies to both, as in mmaction2 1.x.
        top_k: the k whose accuracies are computed.

    Raises:
        ValueError: if there is not one class weight per class.
    """

    _class_weight: Tensor | None

    def __init__(
        self,
        num_classes: int,
        *,
        multi_label: bool = False,
        loss: LossSpec | None = None,
        top_k: tuple[int, ...] = (1, 5),
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.multi_label = multi_label
        self.top_k = top_k
        self.register_buffer("_class_weight", None, persistent=False)
        self.set_loss(loss or LossSpec())

    def set_loss(self, loss: LossSpec) -> None:
        """Replace the loss.

        Raises:
            ValueError: if there is not one class weight per class.
        """
        if loss.class_weight is not None and len(loss.class_weight) != self.num_classes:
            raise ValueError(
                f"{len(loss.class_weight)} class weights for {self.num_classes} classes"
            )
        weight = None if loss.class_weight is None else torch.tensor(loss.class_weight)
        self._loss = loss
        self._class_weight = weight

    def loss(self, cls_score: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Compare logits with the labels.

        Args:
            cls_score: float (B, num_classes), the logits.
            labels: int64 (B,) or () class indices, or float (B, num_classes) probabilities of
                the classes; with B = 1 the latter may be (num_classes,).

        Returns:
            `loss_cls`, and for class indices `top1_acc` and `top5_acc` in [0, 1]; 0-d each.

        Raises:
            ValueError: if the labels have another shape or are out of range.
        """
        labels = self._checked(cls_score, labels)
        spec, accuracies = self._loss, dict[str, Tensor]()
        weight = None if self._class_weight is None else self._class_weight.to(cls_score)
        if labels.ndim == 1:
            accuracies = {f"top{k}_acc": top_k_accuracy(cls_score, labels, k) for k in self.top_k}
            loss = single_label_loss(
                cls_score, labels, weight, spec.label_smooth_eps, spec.focal_gamma
            )
        else:
            eps = spec.label_smooth_eps
            smoothed = (1 - eps) * labels.to(cls_score.dtype) + eps / self.num_classes
            criterion = multi_label_loss if self.multi_label else soft_label_loss
            loss = criterion(cls_score, smoothed, weight, spec.focal_gamma)
        return {**accuracies, "loss_cls": loss * spec.loss_weight}

    def scores(self, logits: Tensor) -> Tensor:
        """Logits (..., num_classes) -> scores in [0, 1]: softmax, or sigmoid for many labels."""
        return logits.sigmoid() if self.multi_label else logits.softmax(dim=-1)

    def _checked(self, cls_score: Tensor, labels: Tensor) -> Tensor:
        """Return the labels as (B,) class indices or (B, num_classes) probabilities."""
        count, classes = cls_score.shape
        if labels.ndim == 0 or (count == 1 and labels.shape == (classes,) != (1,)):
            labels = labels.unsqueeze(0)
        wanted: list[tuple[int, ...]] = [(count, classes)]
        if not self.multi_label:
            wanted.append((count,))
        if tuple(labels.shape) not in wanted:
            raise ValueError(
                f"labels of shape {tuple(labels.shape)} for scores of shape {(count, classes)}; "
                f"expected {' or '.join(map(str, wanted))}"
            )
        if labels.ndim == 1 and labels.is_floating_point():
            raise ValueError(f"class indices are integers, got {labels.dtype}")
        lowest, highest = (0, classes - 1) if labels.ndim == 1 else (0, 1)
        wrong = labels[(labels < lowest) | (labels > highest)]
        if len(wrong):
            raise ValueError(
                f"label {wrong[0].item()} is out of range: this head has {classes} classes, "
                f"so labels go from {lowest} to {highest}"
            )
        return labels


class SlowFastHead(BaseHead):
    """Pool each pathway, concatenate, drop out, one linear layer: one prediction per clip.

    The linear layer's columns are [fast, slow], 256 + 2048 for R50, as in mmaction2's weights; its
    code hides that by unpacking (slow, fast) features as `x_fast, x_slow` (slowfast_head.py).
    pytorchvideo and PySlowFast have [slow, fast], and `models.checkpoints` reorders them. The
    wrong order loads without an error and predicts noise.

    Args:
        num_classes: labels.
        in_channels: of all pathways together, 2048 + 256 for R50.
        spatial_type: how space and time are pooled.
        dropout_ratio: 0.5 in the paper.
        init_std: of the linear layer's weights.
        multi_label: see `BaseHead`.
        loss: see `BaseHead`.

    Raises:
        ValueError: for another spatial_type.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        *,
        spatial_type: Literal["avg", "max"] = "avg",
        dropout_ratio: float = 0.5,
        init_std: float = 0.01,
        multi_label: bool = False,
        loss: LossSpec | None = None,
    ) -> None:
        super().__init__(num_classes, multi_label=multi_label, loss=loss)
        if spatial_type not in ("avg", "max"):
            raise ValueError(f"spatial_type is avg or max, not {spatial_type!r}")
        self.spatial_type = spatial_type
        self.dropout = nn.Dropout(dropout_ratio)
        self.fc_cls = classifier(in_channels, num_classes, init_std)

    def forward(self, features: tuple[Tensor, ...]) -> Tensor:
        """Features (B, C, T, H, W), slow and fast or slow alone -> logits (B, num_classes).

        The features are averaged in the precision of the linear layer, so that a backbone in
        half precision costs no accuracy here.
        """
        pooled = [self._pool(x) for x in reversed(features)]
        return cast(Tensor, self.fc_cls(self.dropout(torch.cat(pooled, dim=1))))

    def _pool(self, x: Tensor) -> Tensor:
        """(B, C, T, H, W) -> (B, C)."""
        dtype = self.fc_cls.weight.dtype
        if self.spatial_type == "max":
            return x.amax(dim=(2, 3, 4)).to(dtype)
        return x.mean(dim=(2, 3, 4), dtype=dtype)


def classifier(in_channels: int, num_classes: int, init_std: float) -> nn.Linear:
    """Return the last layer, with small random weights and a bias of zero."""
    layer = nn.Linear(in_channels, num_classes)
    nn.init.normal_(layer.weight, std=init_std)
    nn.init.zeros_(layer.bias)
    return layer


def top_k_accuracy(logits: Tensor, labels: Tensor, k: int) -> Tensor:
    """Fraction of rows whose label is among the k highest logits; 0-d float."""
    best = logits.topk(min(k, logits.shape[1]), dim=1).indices
    return (best == labels[:, None]).any(dim=1).float().mean()
