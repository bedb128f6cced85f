"""The tracking stage: detections in, people with identities out, one tracker per camera."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
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
    """Give every person an id that no other person of the same camera gets; one item per item."""
    trackers: dict[str, Tracker] = {}
    for item in items:
        if isinstance(item, StreamEnd):
            trackers.pop(item.camera_id, None)
            yield item
            continue
        frame = item.frame
        if frame.camera_id not in trackers:
            trackers[frame.camera_id] = new_tracker()
        people, ended = trackers[frame.camera_id].update(frame, item.detections)
        yield TrackedFrame(frame, people, ended, item.detected_at, tracked_at=now())
