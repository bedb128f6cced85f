"""The detection stage: one call per batch, and every item keeps its place."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.detections import Detections
from pipeline.stages.detection import detect_people
from pipeline.types import DetectedFrame, Image, StreamEnd
from tests.conftest import make_frame


class LevelDetector:
    """Finds one person per image, with the grey level of the image as its left side."""

    def __init__(self) -> None:
        self.calls = list[int]()  # number of images of each call

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        self.calls.append(len(images))
        return [
            Detections(
                np.array([[image[0, 0, 0], 0, 60, 40]], np.float32), np.array([0.9], np.float32)
            )
            for image in images
        ]


def test_a_batch_is_one_call_and_every_frame_gets_its_own_people() -> None:
    detector = LevelDetector()
    batches = [[make_frame(n, level=n) for n in range(3)], [make_frame(3, level=3)]]
    items = list(detect_people(batches, detector, now=lambda: 7.0))
    assert detector.calls == [3, 1]
    for n, item in enumerate(items):
        assert isinstance(item, DetectedFrame)
        assert (item.frame.index, item.detected_at) == (n, 7.0)
        assert item.detections.xyxy[0, 0] == n


def test_the_end_of_a_camera_keeps_its_place_and_is_not_detected() -> None:
    detector = LevelDetector()
    end = StreamEnd("gate")
    first, second = make_frame(0, level=1), make_frame(1, level=2)
    items = list(detect_people([[first, end, second], [end]], detector, now=lambda: 0.0))
    assert items[1] is items[3] is end
    assert [item.frame for item in items if isinstance(item, DetectedFrame)] == [first, second]
    assert detector.calls == [2]  # none for a batch without a frame
