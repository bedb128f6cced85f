"""Which views of whole frames are averaged; without numpy, as the command line is read by it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WholeFrameViews:
    """Which views of a video are averaged; the defaults are mmaction2's test of SlowFast.

    Raises:
        ValueError: for another number of crops than one or three.
    """

    clips: int = 10  # spread evenly over the video
    crops: int = 3  # along the longer side; 1: the middle
    side: int = 256  # of a crop, and the frame's shorter side; pixels

    def __post_init__(self) -> None:
        if self.crops not in (1, 3):
            raise ValueError(f"crops {self.crops}: give 1, the middle, or 3 along the longer side")
