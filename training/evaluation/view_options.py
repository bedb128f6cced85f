"""Which views of whole frames are averaged; without numpy, as the command line is read by it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WholeFrameViews:
    """Which views of a video are averaged; the defaults are mmaction2's test of SlowFast."""

    clips: int = 10  # spread evenly over the video
    crops: int = 3  # along the longer side; 1: the middle
    side: int = 256  # of a crop, and the frame's shorter side; pixels
