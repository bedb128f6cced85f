"""The point of a box that stands for a person."""

from __future__ import annotations

import numpy as np

from pipeline.rules.anchors import anchor_fractions, of_each_anchor, stack_boxes

WH = (200, 100)
BOXES = stack_boxes({3: np.array([10, 20, 30, 80], np.float32), 1: np.zeros(4, np.float32)})


def test_a_foot_is_the_middle_of_the_lower_side_and_a_centre_that_of_the_box() -> None:
    assert anchor_fractions(BOXES, WH, "foot").tolist() == [[0.1, 0.8], [0, 0]]
    assert anchor_fractions(BOXES, WH, "centre").tolist() == [[0.1, 0.5], [0, 0]]


def test_each_zone_gets_the_points_of_its_anchor() -> None:
    points = of_each_anchor(BOXES, WH, ["foot", "centre", "foot"])
    assert points[:, 0, 1].tolist() == [0.8, 0.5, 0.8]
    assert of_each_anchor(BOXES, WH, ["centre", "centre"])[:, 0, 1].tolist() == [0.5, 0.5]


def test_no_people_have_no_points() -> None:
    assert of_each_anchor(stack_boxes({}), WH, ["foot"]).shape == (1, 0, 2)
