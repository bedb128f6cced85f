"""The output of a person detector for one image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.boxes import FloatArray, clip_to_image, has_area


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """The people of one image, one row each.

    Raises:
        ValueError: if the two arrays do not have the stated shapes.
    """

    xyxy: FloatArray  # float32 (N, 4) pixels of the original image, x1 < x2, y1 < y2
    confidence: FloatArray  # float32 (N,) in [0, 1]

    def __post_init__(self) -> None:
        if self.xyxy.ndim != 2 or self.xyxy.shape[1] != 4:
            raise ValueError(f"xyxy must have shape (N, 4), got {self.xyxy.shape}")
        if self.confidence.shape != self.xyxy.shape[:1]:
            raise ValueError(
                f"confidence must have shape ({len(self.xyxy)},), got {self.confidence.shape}"
            )

    @classmethod
    def empty(cls) -> Detections:
        """Return the detections of an image without people."""
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))

    def inside(self, width: int, height: int) -> Detections:
        """Clip the boxes to an image of width x height pixels; drop empty and non-finite ones."""
        clipped = Detections(clip_to_image(self.xyxy, width, height), self.confidence)
        return clipped[has_area(clipped.xyxy) & np.isfinite(clipped.confidence)]

    def __len__(self) -> int:
        return len(self.xyxy)

    def __getitem__(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> Detections:
        return Detections(self.xyxy[rows], self.confidence[rows])
