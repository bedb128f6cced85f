"""When a clip is due, and which of the newest samples make it: by time, not by counting."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

import numpy as np

from pipeline.stages.clip_sampling import ClipSpec, sample_clip

Sample = TypeVar("Sample")

# Which frame is nearest to a grid point changes by a tenth of a step at most if of a fast camera's
# frames only this many per step are kept. 60 fps is 4 per step of 1/15 s: all of those are kept.
SAMPLES_PER_STEP = 5
ROUNDING_S = 1e-6  # pts_s are floats: a frame due "now" may sit a rounding error before


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
