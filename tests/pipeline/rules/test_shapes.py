"""What is refused as a zone, a line or a ground plane, and how it is said."""

from __future__ import annotations

import random

import pytest
import shapely

from pipeline.rules.shapes import (
    Point,
    ground_plane_problem,
    line_problem,
    polygon_problem,
    segments_touch,
)

SQUARE: list[Point] = [(0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9)]


def test_usual_shapes_are_accepted() -> None:
    assert polygon_problem(SQUARE) is None
    assert polygon_problem([(0, 0), (1, 0), (1, 1)]) is None
    notched = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 0.2), (0.0, 1.0)]
    assert polygon_problem(notched) is None
    assert line_problem((0, 0.5), (1, 0.5)) is None


@pytest.mark.parametrize(
    ("points", "words"),
    [
        (SQUARE[:2], "three corners at least, not 2"),
        ([], "three corners at least, not 0"),
        ([(0.1, 0.1), (0.9, 0.9), (0.9, 0.1), (0.1, 0.9)], "corner 1 to 2 meets that from 3 to 4"),
        ([(0.1, 0.1), (0.5, 0.5), (0.9, 0.9)], "no area"),
        ([(0.1, 0.1), (0.9, 0.1), (0.5, 0.1), (0.2, 0.1)], "no area"),
        ([(0.1, 0.1), (0.9, 0.1), (1.2, 0.9)], "point 3 (1.2, 0.9) is outside of the image"),
        ([(120, 80), (500, 80), (500, 400)], "point 1 (120, 80) is outside of the image"),
        ([(0.1, 0.1), (-0.01, 0.5), (0.9, 0.1)], "point 2"),
        ([(0.1, 0.1), (float("nan"), 0.5), (0.9, 0.1)], "point 2"),
        ([SQUARE[0], *SQUARE], "corners 1 and 2 are the same point"),
        ([*SQUARE, SQUARE[0]], "corners 5 and 1 are the same point"),
        ([*SQUARE, (0.5, 0.9)], "runs back along itself at corner 4"),
        ([(0.1, 0.1), (0.9, 0.1), (0.5, 0.1), (0.5, 0.9)], "runs back along itself at corner 2"),
        ([*SQUARE[:3], (0.5, 0.1), (0.1, 0.9)], "meets that from"),
    ],
)  # fmt: skip
def test_a_polygon_that_is_no_zone_is_refused_with_the_reason(
    points: list[Point], words: str
) -> None:
    problem = polygon_problem(points)
    assert problem is not None
    assert words in problem


def test_polygons_are_judged_as_by_shapely() -> None:
    draw = random.Random(0)
    verdicts = set()
    for _ in range(300):
        points = [(draw.random(), draw.random()) for _ in range(draw.randint(3, 7))]
        is_valid = shapely.Polygon(points).is_valid
        assert (polygon_problem(points) is None) == is_valid
        verdicts.add(is_valid)
    assert verdicts == {True, False}


def test_segments_that_meet_at_a_point_touch() -> None:
    assert segments_touch((0, 0), (1, 1), (0, 1), (1, 0))
    assert segments_touch((0, 0), (1, 0), (0.5, 0), (0.5, 1))
    assert segments_touch((0, 0), (1, 0), (0.5, 0), (2, 0))
    assert not segments_touch((0, 0), (1, 0), (1.5, 0), (2, 0))
    assert not segments_touch((0, 0), (1, 0), (0, 0.1), (1, 0.1))


def test_a_line_needs_two_points_inside_the_image() -> None:
    assert line_problem((0.5, 0.5), (0.5, 0.5)) == "start and end are the same point"
    assert "outside of the image" in (line_problem((0.5, 0.5), (640, 0.5)) or "")


METRES: list[Point] = [(0, 0), (4, 0), (4, 10), (0, 10)]
FLOOR: list[Point] = [(0.1, 0.9), (0.9, 0.9), (0.6, 0.4), (0.4, 0.4)]


@pytest.mark.parametrize(
    ("image", "metres", "words"),
    [
        (FLOOR[:3], METRES, "four points of each are needed, not 3 and 4"),
        (FLOOR, METRES[:2], "not 4 and 2"),
        ([(0.1, 0.9), (0.5, 0.9), (0.9, 0.9), (0.4, 0.4)], METRES, "points 1, 2, 3 of image"),
        (FLOOR, [(0, 0), (2, 0), (4, 0), (0, 10)], "points 1, 2, 3 of metres"),
        (FLOOR, [(1, 1)] * 4, "of metres are on one line"),
        ([FLOOR[0], FLOOR[0], *FLOOR[2:]], METRES, "of image are on one line, or two are the same"),
        ([(1.5, 0.9), *FLOOR[1:]], METRES, "outside of the image"),
        ([FLOOR[0], FLOOR[2], FLOOR[1], FLOOR[3]], METRES, "in the same order"),
    ],
)  # fmt: skip
def test_points_that_determine_no_ground_are_refused_with_the_reason(
    image: list[Point], metres: list[Point], words: str
) -> None:
    assert words in (ground_plane_problem(image, metres) or "")


def test_the_ground_may_be_measured_either_way_round() -> None:
    assert ground_plane_problem(FLOOR, METRES) is None
    assert ground_plane_problem(FLOOR, [(-x, y) for x, y in METRES]) is None
