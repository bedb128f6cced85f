"""Metres between people, against a camera whose place is known."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.rules.ground_plane import GroundPlane
from pipeline.rules.shapes import Point

WH = (1280, 720)
HEIGHT_M, FOCAL, TILT = 3.0, 1.2, 0.2  # of a camera; focal length in image widths, radians


def seen(x: float, y: float) -> Point:
    """Where a pinhole camera above the origin, tilted down, sees a place on the ground."""
    depth = y * np.cos(TILT) + HEIGHT_M * np.sin(TILT)
    below = HEIGHT_M * np.cos(TILT) - y * np.sin(TILT)
    return 0.5 + FOCAL * x / depth, 0.5 + FOCAL * below / depth * WH[0] / WH[1]


CORNERS: list[Point] = [(-2, 8), (2, 8), (3, 14), (-3, 14)]
PLANE = GroundPlane([seen(*corner) for corner in CORNERS], CORNERS)


def boxes_at(*places: Point) -> np.ndarray:
    feet = np.array([seen(*place) for place in places]) * WH
    low, high = feet - (10, 100), np.add(feet, (10, 0))
    return np.concatenate([low, high], axis=1).astype(np.float32)


def test_feet_are_placed_where_they_are() -> None:
    places = [(0, 9), (-1.5, 10), (2, 13), (0, 17)]
    assert PLANE.place_feet(boxes_at(*places), WH) == pytest.approx(np.array(places), abs=1e-3)


def test_distances_are_in_metres_near_and_far_at_any_resolution() -> None:
    boxes = boxes_at((0, 9), (1, 9), (0, 13), (1, 13))
    found = PLANE.distances_m(boxes, WH)
    assert found[0, 1] == pytest.approx(1, abs=1e-3)
    assert found[2, 3] == pytest.approx(1, abs=1e-3)
    assert found[0, 2] == pytest.approx(4, abs=1e-3)
    assert np.array_equal(found, found.T)
    assert PLANE.distances_m(boxes / 2, (640, 360)) == pytest.approx(found)


def test_feet_above_the_horizon_are_nowhere() -> None:
    sky = np.array([[600, 0, 620, 10]], np.float32)
    assert np.isnan(PLANE.place_feet(sky, WH)).all()
    both = np.concatenate([sky, boxes_at((0, 9))])
    assert np.isnan(PLANE.distances_m(both, WH)[0, 1])


def test_no_people_have_no_distances() -> None:
    assert PLANE.distances_m(np.empty((0, 4), np.float32), WH).shape == (0, 0)


def test_points_that_determine_no_plane_are_refused() -> None:
    with pytest.raises(ValueError, match="points 1, 2, 3 of image are on one line"):
        GroundPlane([(0, 0.5), (0.5, 0.5), (1, 0.5), (0.5, 1)], CORNERS)
