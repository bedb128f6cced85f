"""The student: YOLO11n's architecture with one class and random weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from models.detectors.ultralytics_import import import_ultralytics
from training.detector.teacher import BLOCKS, DetectorOutputs

ARCHITECTURE = "yolo11n.yaml"  # 2.6 million parameters


def new_student(seed: int) -> nn.Module:
    """Build an untrained detector of one class, person."""
    import_ultralytics()
    from ultralytics.nn.tasks import DetectionModel

    torch.manual_seed(seed)
    model: nn.Module = DetectionModel(ARCHITECTURE, nc=1, verbose=False)  # type: ignore[no-untyped-call]
    model.names = {0: "person"}  # type: ignore[assignment]
    return model.to(memory_format=torch.channels_last)


def student_outputs(
    model: nn.Module,
    images: Tensor,
    taught: dict[int, Tensor] | None = None,
    given: dict[int, Tensor] | None = None,
) -> DetectorOutputs:
    """Run the student, some of its blocks on the teacher's features.

    Each block is then trained from the start, instead of waiting until those before it are
    trained.

    Args:
        model: of `new_student`.
        images: (B, 3, S, S) RGB in 0..1.
        taught: the teacher's features by layer, (B, C, H, W).
        given: bool (B, 1, 1, 1) by layer: the images for which the layers behind it see the
            teacher's features instead of the student's own.
    """
    features: dict[int, Tensor] = {}
    passed_on: list[Any] = []
    x: Any = images
    layers: Any = model.model
    for layer in layers:
        if isinstance(layer.f, list):
            x = [x if source == -1 else passed_on[source] for source in layer.f]
        elif layer.f != -1:
            x = passed_on[layer.f]
        x = layer(x)
        if layer.i in BLOCKS:
            features[layer.i] = x
            if taught is not None and given is not None:
                x = torch.where(given[layer.i], taught[layer.i].to(x.dtype), x)
        passed_on.append(x)
    # In training mode the head returns its logits; in evaluation mode (decoded, logits).
    logits = x if isinstance(x, dict) else x[1]
    return DetectorOutputs(features, logits["boxes"], logits["scores"])
