"""People who are hidden in images."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.evidence.hiding import PeopleAt, boxes_between, hide_people


def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)


def box(*sides: float) -> np.ndarray:
    return np.array(sides, np.float32)


def detail(image: np.ndarray) -> float:
    return float(np.abs(np.diff(image.astype(int), axis=1)).mean())


@pytest.mark.parametrize(("what", "end"), [("faces", 40), ("bodies", 110)])
def test_faces_or_bodies_lose_their_detail_and_nothing_else_changes(what: str, end: int) -> None:
    image, before = noise(), noise()
    hide_people(image, [box(50, 20, 90, 100)], what)  # type: ignore[arg-type]
    assert detail(image[20:end, 50:90]) < 0.3 * detail(before[20:end, 50:90])
    assert np.array_equal(image[112:], before[112:])
    assert np.array_equal(image[:, 100:], before[:, 100:])
    if what == "faces":
        assert np.array_equal(image[60:], before[60:])


def test_boxes_beyond_the_image_and_tiny_ones_are_no_error() -> None:
    image = noise()
    hide_people(image, [box(-50, -50, 300, 300), box(5, 5, 5.2, 5.2), box(400, 1, 500, 9)], "faces")


def test_a_frame_between_two_processed_ones_hides_both_places() -> None:
    people = [PeopleAt(t, (box(t, 0, 1, 1),)) for t in (1.0, 1.1, 5.0)]
    assert len(boxes_between(people, 1.05, 0.2)) == 2
    assert boxes_between(people, 3.0, 0.5) == []
