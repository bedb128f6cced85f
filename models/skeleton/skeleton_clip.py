"""The input of a skeleton recognizer: key points and boxes of people on a regular time grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.pose.key_points import COUNT


@dataclass(frozen=True, slots=True, eq=False)
class SkeletonClip:
    """One person (P = 1), or the people of a group.

    Raises:
        ValueError: if the arrays do not have the stated shapes.
    """

    key_points: NDArray[np.float32]  # float32 (P, T, 17, 3): x, y in pixels, confidence
    xyxy: NDArray[np.float32]  # float32 (P, T, 4) pixels

    def __post_init__(self) -> None:
        people, length = self.key_points.shape[:2]
        if self.key_points.shape != (people, length, COUNT, 3):
            raise ValueError(f"key_points must be (P, T, {COUNT}, 3), got {self.key_points.shape}")
        if self.xyxy.shape != (people, length, 4):
            raise ValueError(f"xyxy must be {(people, length, 4)}, got {self.xyxy.shape}")


@dataclass(frozen=True, slots=True)
class SkeletonSpec:
    """Labels and time grid of a skeleton recognizer.

    Raises:
        ValueError: naming the field, if a value cannot work.
    """

    name: str  # as it stands in events
    labels: tuple[str, ...]  # of the scores, in order
    group_labels: tuple[str, ...]  # those of a group of people; all others are of one person
    clip_len: int  # T
    interval_s: float  # seconds between two of the T points in time

    def __post_init__(self) -> None:
        if not self.labels or len(set(self.labels)) != len(self.labels):
            raise ValueError(f"labels must be there and differ, got {self.labels}")
        if not set(self.group_labels) <= set(self.labels):
            raise ValueError(f"group_labels must be among the labels, got {self.group_labels}")
        if self.clip_len < 2 or not self.interval_s > 0:
            raise ValueError("clip_len must be 2 or more, and interval_s above 0")
