"""From features to class scores, and from scores to losses (after mmaction2 0.24)."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional


class BaseHead(nn.Module):
    """The loss and the accuracies of a classification head.

    Args:
        num_classes: labels.
        multi_label: every class is a question of its own (sigmoid, binary cross entropy);
            False: exactly one is true (softmax, cross entropy).
        label_smooth_eps: share of the label spread over all classes. mmaction2 0.24 ignores it
            without a word for single labels; here it counts for both, as in mmaction2 1.x.
        class_weight: float32 (num_classes,), or None for equal weights.
    """

    class_weight: Tensor | None

    def __init__(
        self,
        num_classes: int,
        *,
        multi_label: bool = False,
        label_smooth_eps: float = 0.0,
        class_weight: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.multi_label = multi_label
        self.label_smooth_eps = label_smooth_eps
        self.register_buffer("class_weight", class_weight, persistent=False)

    def loss(self, logits: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Compare scores before softmax or sigmoid with the truth.

        Args:
            logits: float (B, num_classes).
            labels: int64 (B,) or () class indices, or float (B, num_classes) shares of each
                class; with B = 1 the latter may be (num_classes,).

        Returns:
            `loss_cls`, and for class indices `top1_acc` and `top5_acc` in [0, 1]; 0-d each.
        """
        if labels.ndim == 0 or (len(logits) == 1 and labels.shape == (self.num_classes,) != (1,)):
            labels = labels.unsqueeze(0)
        if self.multi_label:
            return {"loss_cls": self._binary_loss(logits, labels)}
        losses: dict[str, Tensor] = {}
        if labels.ndim == 1:
            losses["top1_acc"] = top_k_accuracy(logits, labels, 1)
            losses["top5_acc"] = top_k_accuracy(logits, labels, 5)
            losses["loss_cls"] = functional.cross_entropy(
                logits, labels, self.class_weight, label_smoothing=self.label_smooth_eps
            )
        else:
            losses["loss_cls"] = self._soft_loss(logits, labels)
        return losses

    def scores(self, logits: Tensor) -> Tensor:
        """Logits (..., num_classes) -> scores in [0, 1]: softmax, or sigmoid for many labels."""
        return logits.sigmoid() if self.multi_label else logits.softmax(dim=-1)

    def _smooth(self, labels: Tensor) -> Tensor:
        eps = self.label_smooth_eps
        return (1 - eps) * labels + eps / self.num_classes

    def _binary_loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        labels = self._smooth(labels.to(logits.dtype))
        return functional.binary_cross_entropy_with_logits(logits, labels, self.class_weight)

    def _soft_loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        labels = self._smooth(labels.to(logits.dtype))
        if self.class_weight is None:
            return functional.cross_entropy(logits, labels)
        weighted = labels * self.class_weight
        # The weighted mean that cross_entropy takes for class indices, here for shares too.
        return -(weighted * logits.log_softmax(dim=1)).sum() / weighted.sum()


class SlowFastHead(BaseHead):
    """Pool each pathway, concatenate, drop out, one linear layer.

    Args:
        num_classes: labels.
        in_channels: channels of the slow and of the fast features.
        dropout: probability, 0.5 in the paper.
        init_std: of the linear layer's weights.
        fast_first: order of the linear layer's columns. mmaction2's weights want [fast, slow]
            (its variable names are swapped, which hides it), pytorchvideo's and PySlowFast's
            [slow, fast]. The wrong order loads without an error and predicts noise.
        multi_label: see `BaseHead`.
        label_smooth_eps: see `BaseHead`.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: tuple[int, int],
        *,
        dropout: float = 0.5,
        init_std: float = 0.01,
        fast_first: bool = True,
        multi_label: bool = False,
        label_smooth_eps: float = 0.0,
    ) -> None:
        super().__init__(num_classes, multi_label=multi_label, label_smooth_eps=label_smooth_eps)
        self.fast_first = fast_first
        self.dropout = nn.Dropout(dropout)
        self.fc_cls = nn.Linear(sum(in_channels), num_classes)
        nn.init.normal_(self.fc_cls.weight, std=init_std)
        nn.init.zeros_(self.fc_cls.bias)

    def forward(self, slow: Tensor, fast: Tensor) -> Tensor:
        """(B, C_slow, T', H', W') and (B, C_fast, T, H', W') -> logits (B, num_classes).

        The features are averaged in the precision of the linear layer, so that a backbone in
        half precision costs no accuracy here.
        """
        dtype = self.fc_cls.weight.dtype
        pooled = [x.mean(dim=(2, 3, 4), dtype=dtype) for x in (slow, fast)]
        if self.fast_first:
            pooled.reverse()
        return cast(Tensor, self.fc_cls(self.dropout(torch.cat(pooled, dim=1))))


def top_k_accuracy(logits: Tensor, labels: Tensor, k: int) -> Tensor:
    """Share of rows whose label is among the k highest scores; 0-d float."""
    best = logits.topk(min(k, logits.shape[1]), dim=1).indices
    return (best == labels[:, None]).any(dim=1).float().mean()
