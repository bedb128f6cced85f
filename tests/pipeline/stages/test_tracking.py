"""The tracking stage, with trackers that only count."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from models.detections import Detections
from pipeline.stages.tracking import track_people
from pipeline.types import DetectedFrame, Frame, StreamEnd, TrackedFrame, TrackedPerson

IMAGE = np.zeros((20, 20, 3), np.uint8)


class CountingTracker:
    """Calls the person of its n-th frame n."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []

    def update(
        self, frame: Frame, detections: Detections
    ) -> tuple[tuple[TrackedPerson, ...], tuple[int, ...]]:
        self.frames.append(frame)
        count = len(self.frames)
        people = tuple(
            TrackedPerson(count, xyxy, float(confidence))
            for xyxy, confidence in zip(detections.xyxy, detections.confidence, strict=True)
        )
        return people, (count - 1,)


def detected(camera_id: str, index: int, people: int = 1) -> DetectedFrame:
    boxes = np.tile(np.array([1, 1, 9, 9], np.float32), (people, 1))
    detections = Detections(boxes, np.full(people, 0.5, np.float32))
    return DetectedFrame(Frame(camera_id, index, index / 10, 0.0, IMAGE, 0.0), detections, 7.0)


def ids(item: TrackedFrame | StreamEnd) -> list[int]:
    assert isinstance(item, TrackedFrame)
    return [person.track_id for person in item.people]


def test_every_camera_has_a_tracker_of_its_own() -> None:
    items = [detected("gate", 0), detected("yard", 0), detected("gate", 1), detected("gate", 2)]
    tracked = list(track_people(items, CountingTracker, lambda: 0.0))
    assert [ids(item) for item in tracked] == [[1], [1], [2], [3]]


def test_a_tracker_is_released_at_the_end_of_its_camera() -> None:
    trackers: list[CountingTracker] = []

    def new_tracker() -> CountingTracker:
        trackers.append(CountingTracker())
        return trackers[-1]

    before, after = [detected("gate", 0), detected("yard", 0)], [detected("gate", 0)]
    end = StreamEnd("gate")
    items: list[DetectedFrame | StreamEnd] = [*before, end, *after, detected("yard", 1)]
    tracked = list(track_people(items, new_tracker, lambda: 0.0))
    assert tracked[2] is end
    assert len(trackers) == 3
    assert [len(tracker.frames) for tracker in trackers] == [1, 2, 1]


def test_frames_without_people_reach_the_tracker() -> None:
    tracker = CountingTracker()
    items = [detected("gate", 0), detected("gate", 1, people=0)]
    tracked = list(track_people(items, lambda: tracker, lambda: 0.0))
    assert [frame.index for frame in tracker.frames] == [0, 1]
    assert ids(tracked[1]) == []


def test_a_tracked_frame_reports_ended_tracks_and_its_timestamp() -> None:
    clock = itertools.count(100.0)
    (item,) = track_people([detected("gate", 4)], CountingTracker, lambda: next(clock))
    assert isinstance(item, TrackedFrame)
    assert (item.frame.index, item.ended) == (4, (0,))
    assert (item.detected_at, item.tracked_at) == (7.0, 100.0)


def test_the_stage_is_lazy() -> None:
    """A frame leaves before the next one is asked for: a live camera is not a frame behind."""

    def frames() -> object:
        yield detected("gate", 0)
        pytest.fail("the next frame was asked for")

    stage = track_people(frames(), CountingTracker, lambda: 0.0)  # type: ignore[arg-type]
    assert ids(next(stage)) == [1]


def test_the_people_of_a_camera_that_comes_back_are_new_ones() -> None:
    items = [detected("gate", 0), detected("gate", 1), StreamEnd("gate"), detected("gate", 9)]
    before, last, _, back = track_people(items, CountingTracker, lambda: 0.0)
    assert [ids(item) for item in (before, last, back)] == [[1], [2], [3]]
    assert isinstance(back, TrackedFrame)
    assert back.ended == (2,)  # counted on like the ids of those who are seen
