"""Backbone and head as one network, with the entry points of training and testing."""

from __future__ import annotations

from typing import Literal, cast, get_args

from torch import Tensor, nn

from models.slowfast.architecture import Architecture
from models.slowfast.default_decision import DefaultDecision
from models.slowfast.heads import BaseHead, SlowFastHead
from models.slowfast.input_spec import InputSpec
from models.slowfast.roi_head import RoIHead, whole_frames
from models.slowfast.slowfast import ResNet3dSlowFast, ResNet3dSlowOnly, select_slow
from models.slowfast.training_record import TrainingRecord

ClipAverage = Literal["prob", "score"]


class Recognizer3D(nn.Module):
    """A SlowFast network: backbone, head and the spec of its input.

    Args:
        architecture: of the backbone and the head.
        input_spec: of the clips; its labels are the classes.
        dropout_ratio: of the head.

    Raises:
        ValueError: if the two do not go together.
    """

    cls_head: SlowFastHead | RoIHead

    def __init__(
        self, architecture: Architecture, input_spec: InputSpec, *, dropout_ratio: float = 0.5
    ) -> None:
        super().__init__()
        if architecture.alpha != input_spec.alpha:
            raise ValueError(
                f"alpha is {architecture.alpha} in the network, {input_spec.alpha} in its input"
            )
        if input_spec.clip_len % architecture.slow_stride:
            raise ValueError(
                f"clip_len {input_spec.clip_len} is no multiple of the "
                f"{architecture.slow_stride} frames from one slow frame to the next"
            )
        self.architecture = architecture
        self.input_spec = input_spec
        self.default_decision: DefaultDecision | None = None
        self.training_record: TrainingRecord | None = None  # None: unknown
        self.backbone = _backbone(architecture)
        self.cls_head = _head(
            architecture, sum(self.backbone.out_channels), input_spec, dropout_ratio
        )

    def forward(self, clip: Tensor, boxes: Tensor | None = None) -> Tensor:
        """Logits of clips, or of boxes in them.

        Args:
            clip: normalized, float (B, 3, T, H, W).
            boxes: for a network with a RoI head, float (N, 5): index in the batch, x1, y1, x2, y2
                in pixels of the clip; None: the whole frame of every clip.

        Returns:
            float (B, num_classes), or (N, num_classes) with boxes.

        Raises:
            ValueError: if alpha does not divide T, or there is no RoI head for the boxes.
        """
        if boxes is None and isinstance(self.cls_head, RoIHead):
            boxes = whole_frames(clip)
        return self.forward_pathways(*self.select_pathways(clip), boxes=boxes)

    def select_pathways(self, clip: Tensor) -> tuple[Tensor, ...]:
        """Pick the frames of slow and fast, or of slow alone, from a clip (B, 3, T, H, W)."""
        fast = clip[:, :, :: self.architecture.fast_stride]
        slow = select_slow(fast, self.architecture.alpha, self.input_spec.slow_sampling)
        return (slow,) if self.architecture.fast_depth is None else (slow, fast)

    def forward_pathways(self, *pathways: Tensor, boxes: Tensor | None = None) -> Tensor:
        """Logits, for callers that pick the frames of the pathways themselves.

        Args:
            pathways: slow (B, 3, T / alpha, H, W) and fast (B, 3, T, H, W), or slow alone.
            boxes: see `forward`; None takes the whole frame of every clip.
        """
        features = self.backbone(*pathways)
        if isinstance(self.cls_head, RoIHead):
            boxes = whole_frames(pathways[0]) if boxes is None else boxes
            return cast(Tensor, self.cls_head(features, boxes))
        if boxes is not None:
            raise ValueError("this network has no RoI head: it predicts for clips, not for boxes")
        return cast(Tensor, self.cls_head(features))

    def forward_train(self, clips: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Losses and accuracies: what a training step calls.

        Args:
            clips: normalized, float (B, 3, T, H, W), or (B, 1, 3, T, H, W) as in mmaction2.
            labels: as `BaseHead.loss` takes them; class indices may be (B, 1).

        Returns:
            0-d tensors by name, see `BaseHead.loss`; computed in float32.
        """
        clips = clips.flatten(0, 1) if clips.ndim == 6 else clips
        if labels.ndim == 2 and labels.shape[1] == 1 and not labels.is_floating_point():
            labels = labels.squeeze(1)
        return self.cls_head.loss(self(clips).float(), labels)

    def forward_test(self, clips: Tensor, *, average_clips: ClipAverage | None = "prob") -> Tensor:
        """Scores of videos, averaged over their views: what inference and evaluation call.

        Args:
            clips: normalized, float (B, 3, T, H, W), or (B, num_views, 3, T, H, W): clips at
                several times and several crops of a video are views alike.
            average_clips: average of the scores ("prob") or of the logits ("score"); None returns
                the logits of every view.

        Returns:
            float32 (B, num_classes), or (B * num_views, num_classes) for None.
        """
        views = clips.shape[1] if clips.ndim == 6 else 1
        logits = self(clips.flatten(0, 1) if clips.ndim == 6 else clips).float()
        return average_views(self.cls_head, logits, views, average_clips)

    def forward_dummy(self, clips: Tensor) -> tuple[Tensor]:
        """Logits of every view: what counting the operations calls, as in mmaction2.

        Args:
            clips: as of `forward_test`.
        """
        return (self(clips.flatten(0, 1) if clips.ndim == 6 else clips),)


def average_views(
    head: BaseHead, logits: Tensor, num_views: int, average_clips: ClipAverage | None
) -> Tensor:
    """Average over the views of each video.

    Args:
        head: decides whether scores are softmax or sigmoid.
        logits: float (B * num_views, num_classes), the views of a video one after the other.
        num_views: per video.
        average_clips: see `Recognizer3D.forward_test`.

    Raises:
        ValueError: for another way to average.
    """
    if average_clips is None:
        return logits
    if average_clips not in get_args(ClipAverage):
        raise ValueError(
            f"average_clips must be one of {get_args(ClipAverage)} or None, got {average_clips!r}"
        )
    views = logits.reshape(-1, num_views, logits.shape[1])
    return (head.scores(views) if average_clips == "prob" else views).mean(dim=1)


def _backbone(architecture: Architecture) -> ResNet3dSlowFast | ResNet3dSlowOnly:
    fast = architecture.fast_pathway()
    if fast is None:
        return ResNet3dSlowOnly(architecture.slow_pathway())
    return ResNet3dSlowFast(architecture.slow_pathway(), fast, architecture.lateral())


def _head(
    architecture: Architecture, in_channels: int, spec: InputSpec, dropout_ratio: float
) -> SlowFastHead | RoIHead:
    if architecture.head == "clip":
        return SlowFastHead(
            len(spec.labels),
            in_channels,
            spatial_type=architecture.spatial_type,
            dropout_ratio=dropout_ratio,
            multi_label=spec.multi_label,
        )
    return RoIHead(
        len(spec.labels),
        in_channels,
        feature_stride=architecture.feature_stride,
        resolution=architecture.roi_resolution,
        aligned=architecture.roi_aligned,
        dropout_ratio=dropout_ratio,
        multi_label=spec.multi_label,
    )
