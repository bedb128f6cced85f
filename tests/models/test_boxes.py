from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.boxes import (
    body_distances,
    clip_to_image,
    has_area,
    iou_matrix,
    ltwh_to_xyxy,
    xyxy_to_ltwh,
)


def boxes(*rows: tuple[float, float, float, float]) -> np.ndarray:
    return np.array(rows, np.float32).reshape(-1, 4)


def test_corners_to_size_and_back() -> None:
    assert xyxy_to_ltwh(boxes((10, 20, 30, 60))).tolist() == [[10, 20, 20, 40]]
    assert ltwh_to_xyxy(boxes((10, 20, 20, 40))).tolist() == [[10, 20, 30, 60]]


whole = st.integers(-1000, 1000)


@given(st.lists(st.tuples(whole, whole, whole, whole), max_size=5))
def test_the_way_there_and_back_changes_nothing(rows: list[tuple[int, int, int, int]]) -> None:
    original = boxes(*rows)
    assert (ltwh_to_xyxy(xyxy_to_ltwh(original)) == original).all()


def test_conversions_do_not_touch_what_they_are_given() -> None:
    original = boxes((10, 20, 30, 60))
    xyxy_to_ltwh(original)
    clip_to_image(original, 5, 5)
    assert original.tolist() == [[10, 20, 30, 60]]


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ((0, 0, 10, 10), 1.0),  # the same
        ((10, 0, 20, 10), 0.0),  # side by side
        ((50, 50, 60, 60), 0.0),  # apart
        ((0, 0, 10, 5), 0.5),  # half of it
        ((5, 0, 15, 10), 1 / 3),  # shifted by half
        ((2, 2, 2, 8), 0.0),  # without area
    ],
)
def test_iou(other: tuple[float, float, float, float], expected: float) -> None:
    iou = iou_matrix(boxes((0, 0, 10, 10)), boxes(other))
    assert iou.shape == (1, 1)
    assert iou[0, 0] == pytest.approx(expected)


def test_iou_without_boxes_has_the_shape_of_its_arguments() -> None:
    assert iou_matrix(boxes(), boxes((0, 0, 1, 1), (1, 1, 2, 2))).shape == (0, 2)


def test_a_box_has_area_if_it_is_finite_and_wide_and_high_enough() -> None:
    rows = boxes(
        (0, 0, 1, 1), (0, 0, 0.5, 9), (0, 0, 9, 0), (5, 5, 1, 9), (0, 0, float("inf"), 9),
        (float("nan"), 0, 1, 1),
    )  # fmt: skip
    assert has_area(rows).tolist() == [True, False, False, False, False, False]


def test_distances_in_body_lengths() -> None:
    apart = body_distances(boxes((0, 0, 20, 100), (100, 0, 120, 100), (10, 10, 30, 90)))
    assert apart[0].tolist() == [0.0, 1.0, 0.0], "0 where boxes overlap"
    assert apart[0, 1] == apart[1, 0]


def test_a_person_far_behind_another_one_is_not_near() -> None:
    assert body_distances(boxes((0, 0, 40, 100), (10, 10, 20, 40)))[0, 1] == np.inf


def test_without_people_there_are_no_distances() -> None:
    assert body_distances(boxes()).shape == (0, 0)
