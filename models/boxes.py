"""Box arithmetic: `xyxy` is the only format between modules, others exist at adapters."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]


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


def _areas(xyxy: FloatArray) -> FloatArray:
    sides = np.clip(xyxy[:, 2:] - xyxy[:, :2], 0, None)
    areas: FloatArray = sides.prod(axis=1)
    return areas
