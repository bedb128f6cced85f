"""Clips by time: which frames make a clip, and what of a frame shows one person."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.boxes import FloatArray


@dataclass(frozen=True, slots=True)
class ClipSpec:
    """The time grid and the crop of a clip. Training and the live pipeline share it."""

    clip_len: int  # T, frames fed to the network
    interval_s: float  # seconds between two grid points: frame_interval / target_fps
    crop_size: int  # S, side of a crop in pixels
    crop_margin: float  # added on each side, as a share of the box's longer side
    max_gap_s: float  # a longer hole between two frames gives no clip

    @property
    def span_s(self) -> float:
        """Seconds from the first grid point to the last."""
        return (self.clip_len - 1) * self.interval_s


def sample_clip(pts_s: NDArray[np.float64], spec: ClipSpec) -> NDArray[np.intp] | None:
    """Pick the frames nearest to a regular time grid that ends at the newest frame.

    The grid is in seconds, so a 10 fps and a 60 fps camera, jitter and dropped frames all give
    clips of the same speed (PySlowFast scales by TARGET_FPS for the same reason).

    Args:
        pts_s: float64 (N,) growing times of the frames at hand.
        spec: the grid.

    Returns:
        int (clip_len,) indices into `pts_s`, or None while the frames do not reach back to the
        first grid point (to within half a grid step) or have a hole longer than `max_gap_s`.
    """
    if len(pts_s) < 2:
        return None
    grid_s = pts_s[-1] - spec.interval_s * np.arange(spec.clip_len)[::-1]
    if pts_s[0] > grid_s[0] + spec.interval_s / 2:
        return None
    right = np.searchsorted(pts_s, grid_s).clip(1, len(pts_s) - 1)
    nearest = right - (grid_s - pts_s[right - 1] < pts_s[right] - grid_s)
    used = pts_s[nearest[0] :]
    if np.diff(used).max(initial=0.0) > spec.max_gap_s:
        return None
    return np.asarray(nearest, np.intp)


def crop_person(
    image: NDArray[np.uint8], xyxy: FloatArray, *, size: int, margin: float
) -> NDArray[np.uint8]:
    """Cut the square around a person and resize it.

    The square is centred on the box; its side is the box's longer side plus `margin` of it on
    each side. Where it leaves the image, the border pixels are repeated.

    Args:
        image: uint8 (H, W, 3).
        xyxy: float32 (4,) pixels; must overlap the image.
        size: S, side of the result in pixels.
        margin: share of the longer side added on each side.

    Returns:
        uint8 (S, S, 3), same colour order as `image`.
    """
    height, width = image.shape[:2]
    x1, y1, x2, y2 = (float(v) for v in xyxy)
    half = max(x2 - x1, y2 - y1) * (0.5 + margin)
    side = max(2, round(2 * half))
    left, top = round((x1 + x2) / 2 - half), round((y1 + y2) / 2 - half)
    right, bottom = left + side, top + side
    inside: NDArray[np.uint8] = image[
        max(top, 0) : min(bottom, height), max(left, 0) : min(right, width)
    ]
    if inside.shape[:2] != (side, side):
        border = max(-top, 0), max(bottom - height, 0), max(-left, 0), max(right - width, 0)
        inside = np.asarray(cv2.copyMakeBorder(inside, *border, cv2.BORDER_REPLICATE), np.uint8)
    shrinks = side > size
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    crop = cv2.resize(inside, (size, size), interpolation=interpolation)
    return np.asarray(crop, np.uint8)
