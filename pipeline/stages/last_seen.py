"""What is kept of a tracked person, so that they are recognized after they were lost."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.boxes import FloatArray
from pipeline.types import TrackedPerson

_REMEMBERED_S = 1.0  # seconds of path, for the velocity; and of the mean appearance, in effect
_LEAST_PATH_S = 0.25  # seconds; over less, boxes jump more than people move
_TOUCHES = 2.0  # pixels from an edge of the image at which a box is cut off by it
_LEAVING = 0.15  # body lengths per second towards that edge


@dataclass(slots=True, eq=False)
class LastSeen:
    """The newest second of one person: path and mean appearance."""

    pts_s: float = -math.inf  # of the newest box
    first_pts_s: float = math.inf
    _path: deque[tuple[float, FloatArray]] = field(default_factory=deque)  # pts_s, xyxy
    _features: int = 0
    feature: NDArray[np.float32] | None = None  # float32 (D,) mean, not of unit length

    def add(self, pts_s: float, person: TrackedPerson) -> None:
        """Store what a frame shows of the person; `pts_s` is larger than any before."""
        if person.feature is not None:
            self._add_feature(pts_s, person.feature)
        self.pts_s, self.first_pts_s = pts_s, min(pts_s, self.first_pts_s)
        self._path.append((pts_s, person.xyxy))
        while pts_s - self._path[0][0] > _REMEMBERED_S:
            self._path.popleft()

    @property
    def life_s(self) -> float:
        """Seconds from the first box to the newest."""
        return self.pts_s - self.first_pts_s

    def _add_feature(self, pts_s: float, feature: FloatArray) -> None:
        self._features += 1
        if self.feature is None:
            self.feature = feature.copy()  # a row would keep the features of all people alive
            return
        elapsed_s = pts_s - self.pts_s
        weight = max(1 / self._features, 1 - math.exp(-elapsed_s / _REMEMBERED_S))
        self.feature += (feature - self.feature) * np.float32(weight)

    def motion(self) -> Motion:
        """Return place, velocity and size at the newest box."""
        times_s = np.array([pts_s for pts_s, _ in self._path]) - self.pts_s
        boxes = np.stack([xyxy for _, xyxy in self._path]).astype(np.float64)
        centre = (boxes[:, :2] + boxes[:, 2:]) / 2
        velocity = np.zeros(2)
        if -times_s[0] >= _LEAST_PATH_S:
            # Slope of the straight line of least squares through the path.
            spread_s = times_s - times_s.mean()
            velocity = spread_s @ centre / (spread_s @ spread_s)
        length = float(np.median((boxes[:, 2:] - boxes[:, :2]).max(axis=1)))
        return Motion(self.pts_s, boxes[-1], velocity, length)


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """Where a person was seen last, and how they moved then."""

    pts_s: float
    xyxy: NDArray[np.float64]  # (4,) pixels
    velocity: NDArray[np.float64]  # (2,) pixels per second
    length: float  # of the body: the longer side of the box, pixels

    def centre_at(self, pts_s: float) -> NDArray[np.float64]:
        """Return where the middle of the box is expected; float64 (2,) pixels."""
        return (self.xyxy[:2] + self.xyxy[2:]) / 2 + self.velocity * (pts_s - self.pts_s)

    def has_left(self, pts_s: float, wh: tuple[int, int]) -> bool:
        """Return whether they walked out of the image.

        Args:
            pts_s: now.
            wh: width and height of the image, pixels.
        """
        x, y = self.centre_at(pts_s)
        if not (0 <= x < wh[0] and 0 <= y < wh[1]):
            return True
        least = _LEAVING * self.length
        beyond_low = (self.xyxy[:2] <= _TOUCHES) & (self.velocity < -least)
        beyond_high = (self.xyxy[2:] >= np.array(wh) - _TOUCHES) & (self.velocity > least)
        return bool(beyond_low.any() or beyond_high.any())
