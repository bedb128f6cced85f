"""Backbone and head as one network, with the entry points of training and testing."""

from __future__ import annotations

from typing import Literal, cast

from torch import Tensor, nn

from models.heads import SlowFastHead
from models.input_spec import InputSpec
from models.slowfast import ResNet3dSlowFast, select_slow


class Recognizer3D(nn.Module):
    """A SlowFast network that knows what it wants to see.

    Args:
        architecture: name of the function in `models.architectures` that built it.
        backbone: two pathways.
        cls_head: features -> logits.
        input_spec: of the clips; has a label per class.

    Raises:
        ValueError: if the head and the input spec disagree on the classes.
    """

    def __init__(
        self,
        architecture: str,
        backbone: ResNet3dSlowFast,
        cls_head: SlowFastHead,
        input_spec: InputSpec,
    ) -> None:
        super().__init__()
        if cls_head.num_classes != len(input_spec.labels):
            raise ValueError(
                f"{len(input_spec.labels)} labels for a head of {cls_head.num_classes} classes"
            )
        if cls_head.multi_label != input_spec.multi_label:
            raise ValueError("head and input spec disagree on multi_label")
        self.architecture = architecture
        self.backbone = backbone
        self.cls_head = cls_head
        self.input_spec = input_spec

    def forward(self, clip: Tensor) -> Tensor:
        """Normalized RGB, float (B, 3, T, H, W) -> logits (B, num_classes).

        Raises:
            ValueError: if alpha does not divide T.
        """
        spec = self.input_spec
        return self.forward_pathways(select_slow(clip, spec.alpha, spec.slow_sampling), clip)

    def forward_pathways(self, slow: Tensor, fast: Tensor) -> Tensor:
        """(B, 3, T / alpha, H, W) and (B, 3, T, H, W) -> logits (B, num_classes)."""
        return cast(Tensor, self.cls_head(*self.backbone(slow, fast)))

    def forward_train(self, clip: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Losses and accuracies of clips (B, 3, T, H, W), see `BaseHead.loss`."""
        return self.cls_head.loss(self(clip), labels)

    def forward_test(
        self, clips: Tensor, *, average_clips: Literal["prob", "score"] = "prob"
    ) -> Tensor:
        """One row per video, averaged over its views.

        Args:
            clips: float (B, 3, T, H, W), or (B, num_clips, 3, T, H, W) with several views.
            average_clips: average of the scores ("prob") or of the logits ("score"); the latter
                returns logits.

        Returns:
            float (B, num_classes).
        """
        if clips.ndim == 5:
            clips = clips.unsqueeze(1)
        logits = self(clips.flatten(0, 1)).unflatten(0, clips.shape[:2])
        views = self.cls_head.scores(logits) if average_clips == "prob" else logits
        return cast(Tensor, views.mean(dim=1))

    def forward_dummy(self, clips: Tensor) -> tuple[Tensor]:
        """Logits of every view, for counting operations and for export, as in mmaction2."""
        return (self(clips.flatten(0, 1) if clips.ndim == 6 else clips),)
