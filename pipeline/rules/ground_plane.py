"""Metres on the ground, from four points of the image whose places on the ground are known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.rules.anchors import Points, anchor_fractions
from pipeline.rules.shapes import Point, ground_plane_problem


class GroundPlane:
    """Maps feet in a camera's image to places on the ground, by the homography of four points.

    It is right for a flat floor and a lens without much distortion, between the points and around
    them.

    Args:
        image: four points, x and y in fractions of width and height.
        metres: the same points on the ground, in metres from any origin.

    Raises:
        ValueError: if the points do not determine it; the message says why.
    """

    def __init__(self, image: Sequence[Point], metres: Sequence[Point]) -> None:
        if problem := ground_plane_problem(image, metres):
            raise ValueError(problem)
        import cv2  # here, since a back-test without distances in metres needs no images

        self._matrix = np.asarray(
            cv2.getPerspectiveTransform(np.array(image, np.float32), np.array(metres, np.float32)),
            np.float64,
        )
        self._visible = np.sign((self._matrix @ (*image[0], 1.0))[2])  # of the denominator

    def place_feet(self, xyxy: NDArray[np.floating], frame_wh: tuple[int, int]) -> Points:
        """Return where people stand.

        Args:
            xyxy: (N, 4) boxes, pixels.
            frame_wh: width and height of the frame, pixels.

        Returns:
            float64 (N, 2) metres; NaN of feet above the horizon, which are on no ground.
        """
        feet = anchor_fractions(np.asarray(xyxy, np.float64), frame_wh, "foot")
        places = np.concatenate([feet, np.ones((len(feet), 1))], axis=1) @ self._matrix.T
        denominator = np.where(places[:, 2] * self._visible > 1e-9, places[:, 2], np.nan)
        return np.asarray(places[:, :2] / denominator[:, None], np.float64)

    def distances_m(self, xyxy: NDArray[np.floating], frame_wh: tuple[int, int]) -> Points:
        """Return the distance between the feet of each two people.

        Args:
            xyxy: (N, 4) boxes, pixels.
            frame_wh: width and height of the frame, pixels.

        Returns:
            float64 (N, N) metres; NaN where one of the two is above the horizon.
        """
        places = self.place_feet(xyxy, frame_wh)
        offsets = places[:, None] - places[None]
        return np.hypot(offsets[..., 0], offsets[..., 1])
