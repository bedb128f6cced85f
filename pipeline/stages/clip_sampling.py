"""Clips by time: which frames make a clip, and what of a frame shows one person."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from models.boxes import FloatArray

Sample = TypeVar("Sample")

# Which frame is nearest to a grid point changes by a tenth of a step at most if of a fast camera's
# frames only this many per step are kept. 60 fps is 4 per step of 1/15 s: all of those are kept.
SAMPLES_PER_STEP = 5
ROUNDING_S = 1e-6  # pts_s are floats: a frame due "now" may sit a rounding error before


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


class ClipWindow(Generic[Sample]):
    """The newest samples of one stream, no more than one clip needs.

    Args:
        spec: time grid of a clip.
        stride_s: seconds between the ends of two clips.
    """

    def __init__(self, spec: ClipSpec, stride_s: float) -> None:
        self._spec = spec
        self._stride_s = stride_s
        self._pts_s: deque[float] = deque()
        self._samples: deque[Sample] = deque()
        self._last_clip_pts_s = -np.inf

    def __len__(self) -> int:
        return len(self._samples)

    def wants(self, pts_s: float) -> bool:
        """Whether a sample of this moment would be kept; a hole before it empties the window."""
        if not self._pts_s:
            return True
        since_last_s = pts_s - self._pts_s[-1]
        if since_last_s > self._spec.max_gap_s:  # no clip may span the hole: nothing before helps
            self.clear()
            return True
        return since_last_s >= self._spec.interval_s / SAMPLES_PER_STEP - ROUNDING_S

    def add(self, pts_s: float, sample: Sample) -> None:
        """Keep the newest sample, and forget what no clip can need any more."""
        self._pts_s.append(pts_s)
        self._samples.append(sample)
        needed_s = pts_s - self._spec.span_s - self._spec.interval_s
        # One sample before the limit stays: it may be the nearest to the first grid point.
        while len(self._pts_s) > 1 and self._pts_s[1] <= needed_s:
            self._pts_s.popleft()
            self._samples.popleft()

    def cut(self) -> list[Sample] | None:
        """The `clip_len` samples of the clip that ends at the newest, if it is due and complete."""
        newest_s = self._pts_s[-1]
        if newest_s < self._last_clip_pts_s + self._stride_s - ROUNDING_S:
            return None
        chosen = sample_clip(np.array(self._pts_s), self._spec)
        if chosen is None:
            return None
        self._last_clip_pts_s = newest_s
        return [self._samples[index] for index in chosen]

    def clear(self) -> None:
        """Forget every sample."""
        self._pts_s.clear()
        self._samples.clear()


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
