"""The built-in detector: its geometry on made boxes, its eyes on a real video."""

from __future__ import annotations

import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from models.detections import Detections
from models.detectors.hog import (
    HogPersonDetector,
    margin_to_confidence,
    suppress_overlaps,
    without_margin,
)
from tests.models.detection_scores import detection_score


def detections(*rows: tuple[float, float, float, float, float]) -> Detections:
    table = np.array(rows, np.float32).reshape(-1, 5)
    return Detections(table[:, :4], table[:, 4])


def street_image(shared_data: Path, frame: int) -> NDArray[np.uint8]:
    capture = cv2.VideoCapture(str(shared_data / "data/video/pets09_s2l1.avi"))
    capture.set(cv2.CAP_PROP_POS_FRAMES, frame)
    return np.asarray(capture.read()[1], np.uint8)


def test_of_two_boxes_of_one_person_the_more_confident_stays() -> None:
    found = detections((0, 0, 10, 20, 0.5), (1, 0, 11, 20, 0.9), (50, 0, 60, 20, 0.4))
    kept = suppress_overlaps(found, 0.45)
    assert kept.xyxy[:, 0].tolist() == [1, 50]


def test_a_suppressed_box_suppresses_no_other() -> None:
    chain = detections((0, 0, 10, 10, 0.9), (3, 0, 13, 10, 0.8), (6, 0, 16, 10, 0.7))
    kept = suppress_overlaps(chain, 0.45)
    assert kept.xyxy[:, 0].tolist() == [0, 6]


def test_the_order_of_the_windows_does_not_matter() -> None:
    rows = [(0, 0, 10, 10, 0.5), (20, 0, 30, 10, 0.5), (1, 0, 11, 10, 0.5)]
    one, other = (
        suppress_overlaps(detections(*rows), 0.45),
        suppress_overlaps(detections(*rows[::-1]), 0.45),
    )
    assert one.xyxy.tolist() == other.xyxy.tolist()


def test_the_margin_of_the_model_is_cut_off() -> None:
    person = without_margin(np.array([[100, 200, 50, 100]], np.float32))
    np.testing.assert_allclose(person, [[106, 207, 144, 295]])


def test_confidence_grows_with_the_margin_and_stays_in_0_to_1() -> None:
    confidence = margin_to_confidence(np.array([-10, 0.2, 0.85, 1.6, 30], np.float32))
    assert (np.diff(confidence) > 0).all()
    assert confidence.min() >= 0
    assert confidence.max() <= 1
    assert confidence[2] == pytest.approx(0.5)


@pytest.mark.parametrize("shape", [(48, 64, 3), (4, 1000, 3), (1000, 4, 3), (1, 1, 3)])
def test_an_empty_image_of_any_shape_contains_no_person(shape: tuple[int, int, int]) -> None:
    assert len(HogPersonDetector().detect([np.zeros(shape, np.uint8)])[0]) == 0


@pytest.mark.slow
def test_most_pedestrians_of_a_real_street_are_found(shared_data: Path) -> None:
    score = detection_score(HogPersonDetector(confidence=0.25), shared_data, frame_step=80)
    assert score.recall > 0.6
    assert score.precision > 0.75


@pytest.mark.slow
def test_results_are_the_same_on_a_busy_machine(shared_data: Path) -> None:
    images = [street_image(shared_data, frame) for frame in (100, 400)]
    detector = HogPersonDetector()
    expected = [(d.xyxy.tobytes(), d.confidence.tobytes()) for d in detector.detect(images)]
    over = threading.Event()

    def keep_busy() -> None:
        while not over.is_set():
            np.linalg.svd(np.ones((120, 120)))

    load = [threading.Thread(target=keep_busy) for _ in range(3)]
    for thread in load:
        thread.start()
    try:
        found = [detector.detect(images[::-1])[::-1] for _ in range(3)]
    finally:
        over.set()
        for thread in load:
            thread.join()
    for again in found:
        assert [(d.xyxy.tobytes(), d.confidence.tobytes()) for d in again] == expected
