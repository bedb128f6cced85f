"""The head of action detection (AVA): one prediction per box in a scene."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torchvision.ops import roi_align

from models.slowfast.heads import BaseHead, classifier
from models.slowfast.losses import LossSpec


class RoIHead(BaseHead):
    """Average over time, RoI-align, spatial max pool, concatenate, drop out, one linear layer.

    Feichtenhofer et al. 2019, section 5. Columns of the linear layer are [fast, slow], as in
    `SlowFastHead`.

    Args:
        num_classes: labels.
        in_channels: of all pathways together, 2048 + 256 for R50.
        feature_stride: pixels of the clip per cell of the features, 16 for AVA.
        resolution: cells per side into which a box is divided; 7 in PySlowFast, 8 in mmaction2.
        aligned: shift by half a pixel before sampling; must be as in training.
        dropout_ratio: 0.5 in the paper.
        multi_label: see `BaseHead`; people do several of AVA's actions at once.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        *,
        feature_stride: int = 16,
        resolution: int = 7,
        aligned: bool = True,
        dropout_ratio: float = 0.5,
        multi_label: bool = True,
        loss: LossSpec | None = None,
    ) -> None:
        super().__init__(num_classes, multi_label=multi_label, loss=loss)
        self._feature_stride, self._resolution, self._aligned = feature_stride, resolution, aligned
        self.dropout = nn.Dropout(dropout_ratio)
        self.fc_cls = classifier(in_channels, num_classes, init_std=0.01)

    def forward(self, features: tuple[Tensor, ...], boxes: Tensor) -> Tensor:
        """Logits of every box.

        Args:
            features: (B, C, T, H, W) each, slow and fast or slow alone.
            boxes: float (N, 5): index in the batch, then x1, y1, x2, y2 in pixels of the clip.

        Returns:
            float (N, num_classes).
        """
        return self.score_boxes(self.average_time(features), boxes)

    def average_time(self, features: tuple[Tensor, ...]) -> Tensor:
        """(B, C, T, H, W) each -> (B, all C, H, W), fast channels first, in the head's type."""
        dtype = self.fc_cls.weight.dtype
        return torch.cat([x.mean(dim=2, dtype=dtype) for x in reversed(features)], dim=1)

    def score_boxes(self, averaged: Tensor, boxes: Tensor) -> Tensor:
        """Logits of every box: `forward` from what `average_time` gives."""
        cells = roi_align(
            averaged,
            boxes.to(averaged.dtype),
            self._resolution,
            spatial_scale=1 / self._feature_stride,
            sampling_ratio=0,  # as many samples per cell as it has pixels
            aligned=self._aligned,
        )
        pooled = cells.amax(dim=(2, 3))  # (N, all C)
        return cast(Tensor, self.fc_cls(self.dropout(pooled)))


def whole_frames(clip: Tensor) -> Tensor:
    """Return one box per clip that covers the frame: (B, 3, T, H, W) -> (B, 5)."""
    count, (height, width) = len(clip), clip.shape[-2:]
    index = torch.arange(count, device=clip.device, dtype=torch.float32)[:, None]
    box = torch.tensor([[0.0, 0.0, width, height]], device=clip.device)
    return torch.cat([index, box.expand(count, 4)], dim=1)
