"""Zones and lines in an image: where they are, and that the arrow points to the right hand."""

from __future__ import annotations

import numpy as np

from pipeline.outputs.drawing import ACTING, Canvas
from pipeline.outputs.place_drawing import (
    LINE,
    ZONE,
    count_label,
    draw_grid,
    draw_line,
    draw_point,
    draw_zone,
    fill_zones,
)
from pipeline.rules.lines import Line
from pipeline.rules.zones import Zone
from pipeline.types import Image

LEFT = Zone("left", np.array([(0, 0), (0.5, 0), (0.5, 1), (0, 1)]))
UP = Line("door", (0.5, 0.9), (0.5, 0.1))


def canvas() -> Canvas:
    return Canvas(np.full((400, 400, 3), 128, np.uint8))


def coloured(image: Image, colour: tuple[int, int, int]) -> np.ndarray:
    """Where a colour is, also a little mixed: (N, 2) rows and columns."""
    return np.argwhere((np.abs(image.astype(int) - colour) < 16).all(axis=2))


def test_a_zone_has_its_border_and_label_and_another_colour_when_occupied() -> None:
    one = canvas()
    draw_zone(one, LEFT, "left 2")
    assert coloured(one.image[:, 195:205], ZONE).size
    assert not coloured(one.image[:, 210:], ZONE).size
    assert coloured(one.image[150:250, 60:140], ZONE).size  # the label
    draw_zone(one, LEFT, "left 2", is_occupied=True)
    assert coloured(one.image[150:250, 60:140], ACTING).size


def test_the_inside_of_a_zone_is_tinted() -> None:
    one = canvas()
    fill_zones(one.image, [LEFT])
    assert one.image[200, 100].tolist() != [128] * 3
    assert one.image[200, 300].tolist() == [128] * 3


def test_the_arrow_of_a_line_points_to_the_right_hand() -> None:
    one = canvas()
    draw_line(one, UP, "")
    rows, columns = coloured(one.image, LINE).T
    beside = columns[(rows > 150) & (rows < 250)]
    assert beside.max() > 220
    assert beside.min() > 190
    turned = canvas()
    draw_line(turned, Line("door", UP.end, UP.start), "")
    rows, columns = coloured(turned.image, LINE).T
    beside = columns[(rows > 150) & (rows < 250)]
    assert beside.min() < 180
    assert beside.max() < 210


def test_a_grid_and_a_point_are_drawn_at_the_edge_without_an_error() -> None:
    one = canvas()
    draw_grid(one)
    draw_point(one, (1.0, 1.0), "1, 1")
    draw_point(one, (0.0, 0.0), "0, 0")
    assert coloured(one.image, ACTING).size


def test_crossings_are_counted_by_direction() -> None:
    numbers = {("door", "left_to_right"): 3, ("kerb", "right_to_left"): 9}
    assert count_label(UP, numbers) == "door >3 <0"
