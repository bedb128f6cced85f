"""Box arithmetic: `xyxy` is the only format between modules, others exist at adapters."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
# Boxes of which one is longer than the other by more than this overlap by perspective alone.
LARGEST_SIZE_RATIO = 3.0


def xyxy_to_ltwh(xyxy: FloatArray) -> FloatArray:
    """(N, 4) corners -> (N, 4) left, top, width, height, pixels."""
    ltwh = xyxy.copy()
    ltwh[:, 2:] -= xyxy[:, :2]
    return ltwh


def ltwh_to_xyxy(ltwh: FloatArray) -> FloatArray:
    """(N, 4) left, top, width, height -> (N, 4) corners, pixels."""
    xyxy = ltwh.copy()
    xyxy[:, 2:] += ltwh[:, :2]
    return xyxy


def clip_to_image(xyxy: FloatArray, width: int, height: int) -> FloatArray:
    """Clip (N, 4) corners to an image of width x height pixels; outside boxes become empty."""
    limits = np.array([width, height, width, height], np.float32)
    return np.clip(xyxy, np.float32(0), limits)


def has_area(xyxy: FloatArray, min_side: float = 1.0) -> NDArray[np.bool_]:
    """(N,) True where the box is finite and both sides are at least `min_side` pixels."""
    with np.errstate(invalid="ignore"):
        sides = xyxy[:, 2:] - xyxy[:, :2]
        usable = np.isfinite(xyxy).all(axis=1) & (sides >= min_side).all(axis=1)
    return np.asarray(usable, np.bool_)


def iou_matrix(a_xyxy: FloatArray, b_xyxy: FloatArray) -> FloatArray:
    """Pairwise intersection over union, (N, 4) x (M, 4) -> (N, M)."""
    top_left = np.maximum(a_xyxy[:, None, :2], b_xyxy[None, :, :2])
    bottom_right = np.minimum(a_xyxy[:, None, 2:], b_xyxy[None, :, 2:])
    overlap = np.clip(bottom_right - top_left, 0, None).prod(axis=2)
    union = _areas(a_xyxy)[:, None] + _areas(b_xyxy)[None, :] - overlap
    iou: FloatArray = (overlap / np.maximum(union, 1e-9)).astype(np.float32)
    return iou


def body_distances(xyxy: FloatArray) -> NDArray[np.float64]:
    """Return how far apart the people of one frame are, in body lengths.

    It is 0 for boxes that overlap, else the smaller one of the distance between the feet (the
    middle of the lower edge) and that between the centres of the boxes. The length of a body is the
    longer side of its box, because people also lie and bend; of two people it is the mean. Boxes
    whose lengths differ by more than `LARGEST_SIZE_RATIO` are at different distances from the
    camera: they are infinitely far apart.

    Args:
        xyxy: float32 (N, 4) pixels.

    Returns:
        float64 (N, N), symmetric, 0 on the diagonal.
    """
    boxes = np.asarray(xyxy, np.float64).reshape(-1, 4)
    low, high = boxes[:, :2], boxes[:, 2:]
    length = (high - low).max(axis=1)
    overlap = np.minimum(high[:, None], high[None]) > np.maximum(low[:, None], low[None])
    centre = (low + high) / 2
    feet = np.stack([centre[:, 0], high[:, 1]], axis=1)
    mean = (length[:, None] + length[None]) / 2
    distance = np.minimum(_distances(feet), _distances(centre)) / np.maximum(mean, 1e-9)
    longest = np.maximum(length[:, None], length[None])
    unlike = longest > LARGEST_SIZE_RATIO * np.minimum(length[:, None], length[None])
    apart = np.where(unlike, np.inf, np.where(overlap.all(axis=2), 0.0, distance))
    np.fill_diagonal(apart, 0.0)
    return np.asarray(apart, np.float64)


def _distances(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 2) points -> (N, N) pairwise distances."""
    difference = points[:, None] - points[None]
    return np.asarray(np.hypot(difference[..., 0], difference[..., 1]), np.float64)


def _areas(xyxy: FloatArray) -> FloatArray:
    sides = np.clip(xyxy[:, 2:] - xyxy[:, :2], 0, None)
    areas: FloatArray = sides.prod(axis=1)
    return areas
