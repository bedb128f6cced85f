from __future__ import annotations

import numpy as np
import pytest

from models.detections import Detections


def detections(*xyxy: tuple[float, ...]) -> Detections:
    confidence = np.linspace(0.9, 0.5, len(xyxy), dtype=np.float32)
    return Detections(np.array(xyxy, np.float32).reshape(-1, 4), confidence)


def test_detections_of_no_person_are_empty() -> None:
    assert len(Detections.empty()) == 0
    assert len(Detections.empty().inside(64, 48)) == 0


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"xyxy must have shape \(N, 4\)"):
        Detections(np.zeros(4, np.float32), np.zeros(1, np.float32))
    with pytest.raises(ValueError, match=r"confidence must have shape \(2,\)"):
        Detections(np.zeros((2, 4), np.float32), np.zeros(3, np.float32))


def test_inside_clips_to_the_image_and_keeps_confidences_with_their_boxes() -> None:
    nan = float("nan")
    found = detections(
        (-5, -5, 10, 10),  # over the corner
        (70, 10, 90, 20),  # outside
        (nan, 0, 5, 5),  # no number
        (20, 20, 20, 30),  # no width
        (30, 30, 100, 100),  # over the other corner
    ).inside(64, 48)
    assert found.xyxy.tolist() == [[0, 0, 10, 10], [30, 30, 64, 48]]
    assert found.confidence == pytest.approx([0.9, 0.5])
