"""What only the trackers of ultralytics have: two thresholds, and ids counted per object."""

from __future__ import annotations

import numpy as np
import pytest

from models.detections import Detections
from pipeline.stages.ultralytics_trackers import UltralyticsTracker, UltralyticsTrackerName
from pipeline.types import Frame
from tests.pipeline.walkers import Walker, render

HIGH_CONFIDENCE = 0.5


@pytest.fixture(params=["bytetrack", "botsort"])
def name(request: pytest.FixtureRequest) -> UltralyticsTrackerName:
    chosen: UltralyticsTrackerName = request.param
    return chosen


def track_ids(tracker: UltralyticsTracker, frame: Frame, detections: Detections) -> list[int]:
    people, _ = tracker.update(frame, detections)
    return [person.track_id for person in people]


def scene(index: int, confidence: float) -> tuple[Frame, Detections]:
    frame, detections = render([Walker((0, 0, 255), (60, 100), (2, 0))], index)
    return frame, Detections(detections.xyxy, np.array([confidence], np.float32))


def test_a_weak_detection_starts_no_track(name: UltralyticsTrackerName) -> None:
    tracker = UltralyticsTracker(name, high_confidence=HIGH_CONFIDENCE)
    assert [track_ids(tracker, *scene(n, 0.4)) for n in range(10)] == [[]] * 10


def test_a_weak_detection_continues_a_track(name: UltralyticsTrackerName) -> None:
    tracker = UltralyticsTracker(name, high_confidence=HIGH_CONFIDENCE)
    strong = [track_ids(tracker, *scene(n, 0.9)) for n in range(5)]
    weak = [track_ids(tracker, *scene(n, 0.2)) for n in range(5, 10)]
    assert strong == weak == [[1]] * 5


def test_every_tracker_counts_its_own_ids(name: UltralyticsTrackerName) -> None:
    """Until ultralytics 8.3 all trackers of a process shared one counter."""
    first, second = (UltralyticsTracker(name, high_confidence=HIGH_CONFIDENCE) for _ in range(2))
    for index in range(3):
        assert track_ids(first, *scene(index, 0.9)) == track_ids(second, *scene(index, 0.9)) == [1]
