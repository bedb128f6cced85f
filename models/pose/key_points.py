"""The 17 key points of a person in the order of COCO, and the lines between them."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

KeyPoints: TypeAlias = NDArray[np.float32]  # (N, 17, 3): x, y in pixels, confidence in [0, 1]

NAMES = (
    "nose",
    "left_eye",
    "right_eye",
    "left_ear",
    "right_ear",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
)
COUNT = len(NAMES)
HEAD = (0, 1, 2, 3, 4)
SHOULDERS, ELBOWS, WRISTS, HIPS, KNEES, ANKLES = ((n, n + 1) for n in range(5, COUNT, 2))
# Index of the same point of a person seen in a mirror.
MIRRORED = (0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15)
# Pairs of points that a bone, or the line of shoulders or hips, connects.
BONES = (
    *((5, 7), (7, 9), (6, 8), (8, 10), (5, 6), (5, 11), (6, 12), (11, 12)),
    *((11, 13), (13, 15), (12, 14), (14, 16), (0, 5), (0, 6)),
)


def not_found(people: int) -> KeyPoints:
    """Return float32 (people, 17, 3) zeros: no point was found."""
    return np.zeros((people, COUNT, 3), np.float32)
