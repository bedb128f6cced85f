"""The tracking stage: give detected people identities, with one tracker per camera."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Protocol

from models.detections import Detections
from pipeline.types import DetectedFrame, Frame, StreamEnd, TrackedFrame, TrackedPerson


class Tracker(Protocol):
    """Interface of a tracker of one camera; its track ids are its own, from 1."""

    def update(
        self, frame: Frame, detections: Detections
    ) -> tuple[tuple[TrackedPerson, ...], tuple[int, ...]]:
        """Process the next frame; call it for frames without people too.

        Args:
            frame: the camera's next frame.
            detections: its people, boxes in pixels of the frame.

        Returns:
            The people of confirmed tracks that were detected in this frame, sorted by id, and
            the ids of confirmed tracks that ended at it.
        """
        ...


def track_people(
    items: Iterable[DetectedFrame | StreamEnd],
    new_tracker: Callable[[], Tracker],
    now: Callable[[], float],
) -> Iterator[TrackedFrame | StreamEnd]:
    """Assign track ids that are unique per camera and run.

    After a `StreamEnd` a camera gets a new tracker, whose ids continue after the last used one.

    Args:
        items: detected frames of any number of cameras, each camera's in order.
        new_tracker: makes the tracker of a camera.
        now: Unix seconds.

    Yields:
        One item per item, in order.
    """
    trackers: dict[str, Tracker] = {}
    used_before: dict[str, int] = {}  # highest id of the camera's earlier trackers
    newest: dict[str, int] = {}
    for item in items:
        if isinstance(item, StreamEnd):
            trackers.pop(item.camera_id, None)
            used_before[item.camera_id] = newest.get(item.camera_id, 0)
            yield item
            continue
        frame, camera_id = item.frame, item.frame.camera_id
        if camera_id not in trackers:
            trackers[camera_id] = new_tracker()
        people, ended = trackers[camera_id].update(frame, item.detections)
        if base := used_before.get(camera_id, 0):
            people = tuple(replace(one, track_id=one.track_id + base) for one in people)
            ended = tuple(track_id + base for track_id in ended)
        for person in people:
            newest[camera_id] = max(newest.get(camera_id, 0), person.track_id)
        yield TrackedFrame(frame, people, ended, item.detected_at, tracked_at=now())
