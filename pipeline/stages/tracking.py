"""The tracking stage: detections in, people with identities out, one tracker per camera."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Protocol

from models.detections import Detections
from pipeline.types import DetectedFrame, Frame, StreamEnd, TrackedFrame, TrackedPerson


class Tracker(Protocol):
    """Follows the people of one camera. Its ids begin at its own first person."""

    def update(
        self, frame: Frame, detections: Detections
    ) -> tuple[tuple[TrackedPerson, ...], tuple[int, ...]]:
        """Take the next frame; called for frames without people too.

        Returns:
            The people of confirmed tracks that were detected in this frame, by id, and the ids
            of confirmed tracks that ended at it.
        """
        ...


def track_people(
    items: Iterable[DetectedFrame | StreamEnd],
    new_tracker: Callable[[], Tracker],
    now: Callable[[], float],
) -> Iterator[TrackedFrame | StreamEnd]:
    """Give every person an id that no other person of the same camera gets; one item per item.

    After a `StreamEnd` a camera gets a new tracker, whose ids go on where the last one's ended.
    """
    trackers: dict[str, Tracker] = {}
    used_before: dict[str, int] = {}  # ids that earlier trackers of the camera gave away
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
