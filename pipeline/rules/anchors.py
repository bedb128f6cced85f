"""The point of a person's box that stands for the person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.boxes import FloatArray

Anchor = Literal["foot", "centre"]  # middle of the lower side of the box, or of the whole box
ANCHORS: tuple[Anchor, ...] = ("foot", "centre")
Points = NDArray[np.float64]


def stack_boxes(boxes: Mapping[int, FloatArray]) -> NDArray[np.float64]:
    """Return boxes as one float64 (N, 4) array of pixels, in the order of the mapping."""
    if not boxes:
        return np.empty((0, 4))
    return np.stack(list(boxes.values())).astype(np.float64)


def anchor_fractions(
    xyxy: NDArray[np.float64], frame_wh: tuple[int, int], anchor: Anchor
) -> Points:
    """Return where people are, in fractions of the image.

    Args:
        xyxy: float64 (N, 4) boxes, pixels.
        frame_wh: width and height of the image, pixels.
        anchor: the point of the box that counts.

    Returns:
        float64 (N, 2) x and y, each in [0, 1] for a box inside the image; y grows downwards.
    """
    x = (xyxy[:, 0] + xyxy[:, 2]) / 2
    y = xyxy[:, 3] if anchor == "foot" else (xyxy[:, 1] + xyxy[:, 3]) / 2
    return np.stack([x, y], axis=1) / np.asarray(frame_wh, np.float64)


def of_each_anchor(
    xyxy: NDArray[np.float64], frame_wh: tuple[int, int], anchors: Sequence[Anchor]
) -> Points:
    """Return the points that each of several zones or lines asks for.

    Args:
        xyxy: float64 (N, 4) boxes, pixels.
        frame_wh: width and height of the image, pixels.
        anchors: of M zones or lines.

    Returns:
        float64 (M, N, 2) in fractions of the image.
    """
    points = {one: anchor_fractions(xyxy, frame_wh, one) for one in dict.fromkeys(anchors)}
    if len(points) == 1:
        (only,) = points.values()
        return np.broadcast_to(only, (len(anchors), *only.shape))
    return np.stack([points[one] for one in anchors])
