"""Sample clips by time: when a clip is due, which frames it consists of, how a person is cropped.

Training and the live pipeline share this module.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from models.boxes import FloatArray

Sample = TypeVar("Sample")

# Frames kept per grid step. A sample is then at most a tenth of a step away from the frame that is
# nearest to its grid point. 60 fps is 4 frames per step of 1/15 s: all of them are kept.
SAMPLES_PER_STEP = 5
ROUNDING_S = 1e-6  # seconds; pts_s are floats: a frame that is due may be a rounding error early


@dataclass(frozen=True, slots=True)
class ClipSpec:
    """The time grid and the crop of a clip."""

    clip_len: int  # T, frames per clip
    interval_s: float  # seconds between two grid points: frame_interval / target_fps
    crop_size: int  # S, side of a crop in pixels
    crop_margin: float  # added on each side, as a fraction of the box's longer side
    max_gap_s: float  # no clip spans a longer gap between two frames

    @property
    def span_s(self) -> float:
        """Seconds from the first grid point to the last."""
        return (self.clip_len - 1) * self.interval_s


def sample_clip(pts_s: NDArray[np.float64], spec: ClipSpec) -> NDArray[np.intp] | None:
    """Pick the frames nearest to a regular time grid that ends at the newest frame.

    The grid is in seconds, so a 10 fps and a 60 fps camera, jitter and dropped frames all give
    clips of the same speed (PySlowFast scales by TARGET_FPS for the same reason).

    Args:
        pts_s: float64 (N,) increasing times of the available frames, seconds.
        spec: the time grid.

    Returns:
        intp (clip_len,) indices into `pts_s`, or None if the frames do not reach back to the
        first grid point (to within half a grid step) or have a gap longer than `max_gap_s`.
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
    """A sliding window with the newest samples of one stream, bounded by what one clip needs.

    Args:
        spec: the time grid.
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
        """Return whether to keep a sample at this time; clear the window after too long a gap.

        Args:
            pts_s: presentation time of the next frame, seconds.
        """
        if not self._pts_s:
            return True
        since_last_s = pts_s - self._pts_s[-1]
        if since_last_s > self._spec.max_gap_s:  # no clip may span the gap
            self.clear()
            return True
        return since_last_s >= self._spec.interval_s / SAMPLES_PER_STEP - ROUNDING_S

    def add(self, pts_s: float, sample: Sample) -> None:
        """Append the newest sample and drop those that no later clip can use.

        Args:
            pts_s: presentation time of the sample, seconds; larger than any before.
            sample: what the clip is made of, for example a crop.
        """
        self._pts_s.append(pts_s)
        self._samples.append(sample)
        needed_s = pts_s - self._spec.span_s - self._spec.interval_s
        # One sample before the limit stays: it may be the nearest to the first grid point.
        while len(self._pts_s) > 1 and self._pts_s[1] <= needed_s:
            self._pts_s.popleft()
            self._samples.popleft()

    def cut(self) -> list[Sample] | None:
        """Cut the clip that ends at the newest sample.

        Returns:
            Its `clip_len` samples, or None if `stride_s` has not passed since the last clip or
            the window does not cover the time grid.
        """
        newest_s = self._pts_s[-1]
        if newest_s < self._last_clip_pts_s + self._stride_s - ROUNDING_S:
            return None
        chosen = sample_clip(np.array(self._pts_s), self._spec)
        if chosen is None:
            return None
        self._last_clip_pts_s = newest_s
        return [self._samples[index] for index in chosen]

    def clear(self) -> None:
        """Drop all samples."""
        self._pts_s.clear()
        self._samples.clear()


def crop_person(
    image: NDArray[np.uint8], xyxy: FloatArray, *, size: int, margin: float
) -> NDArray[np.uint8]:
    """Crop the square around a person and resize it.

    The square is centred on the box; its side is the box's longer side plus `margin` of it on
    each side. Where it leaves the image, the border pixels are repeated.

    Args:
        image: uint8 (H, W, 3).
        xyxy: float32 (4,) pixels; must overlap the image.
        size: S, side of the result in pixels.
        margin: added on each side, as a fraction of the longer side.

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
