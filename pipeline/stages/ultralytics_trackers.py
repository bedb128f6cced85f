"""ByteTrack and BoT-SORT: fast tracking by motion alone; the adapter to ultralytics' trackers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from models.boxes import FloatArray
from models.detections import Detections
from models.detectors.ultralytics_import import import_ultralytics
from pipeline.types import Frame, TrackedPerson

UltralyticsTrackerName = Literal["bytetrack", "botsort"]

# Values of ultralytics' cfg/trackers/bytetrack.yaml and botsort.yaml, except for parameters.
LOW_CONFIDENCE = 0.1  # a box below it does not continue a track either
MATCH_THRESHOLD = 0.8  # largest cost (1 - IoU, weighted by confidence) of a match
BOTSORT_SETTINGS = {
    "gmc_method": "sparseOptFlow",  # estimates the camera's motion from the image
    "proximity_thresh": 0.5,
    "appearance_thresh": 0.8,
    "with_reid": False,
    "model": "auto",
}


class UltralyticsTracker:
    """One camera's ByteTrack or BoT-SORT.

    The pinned ultralytics counts ids per tracker object, as a test asserts; until 8.3 a class
    attribute counted the ids of all trackers.

    Args:
        name: "bytetrack" or "botsort".
        max_age: frames without a detection after which a track ends.
        high_confidence: smallest confidence of a detection that starts a track, in [0, 1].
    """

    def __init__(
        self, name: UltralyticsTrackerName, *, max_age: int = 30, high_confidence: float = 0.25
    ) -> None:
        import_ultralytics()
        from ultralytics.trackers import BOTSORT, BYTETracker

        settings: dict[str, Any] = {
            "track_high_thresh": high_confidence,
            "track_low_thresh": min(LOW_CONFIDENCE, high_confidence),
            "new_track_thresh": high_confidence,
            "track_buffer": max_age,
            "match_thresh": MATCH_THRESHOLD,
            "fuse_score": True,
        }
        if name == "botsort":
            self._tracker: Any = BOTSORT(SimpleNamespace(**settings, **BOTSORT_SETTINGS))
        else:
            self._tracker = BYTETracker(SimpleNamespace(**settings))  # type: ignore[no-untyped-call]
        self._alive: set[int] = set()

    def update(
        self, frame: Frame, detections: Detections
    ) -> tuple[tuple[TrackedPerson, ...], tuple[int, ...]]:
        """Process the next frame; see `pipeline.stages.tracking.Tracker.update`."""
        visible = detections.inside(*frame.wh)
        # Rows (N, 8) that end with track id, score, class and the row of the detection.
        rows = self._tracker.update(_Boxes(visible), frame.image).reshape(-1, 8)
        seen = sorted((int(row[4]), int(row[7])) for row in rows)
        people = tuple(
            TrackedPerson(track_id, visible.xyxy[n], float(visible.confidence[n]))
            for track_id, n in seen
        )
        return people, self._pop_ended(seen)

    def _pop_ended(self, seen: list[tuple[int, int]]) -> tuple[int, ...]:
        """Return ids that were reported before and are in none of the tracker's lists any more.

        The tracker's list of removed tracks is not sufficient: a duplicate of another track
        disappears without an entry, and a track past `max_age` can reappear once.
        """
        self._alive |= {track_id for track_id, _ in seen}
        kept = {
            track.track_id for track in self._tracker.tracked_stracks + self._tracker.lost_stracks
        }
        ended = self._alive - kept
        self._alive -= ended
        return tuple(sorted(ended))


class _Boxes:
    """Detections with the interface that ultralytics' trackers read: conf, cls, xywh, mask, len."""

    def __init__(self, detections: Detections) -> None:
        self._detections = detections
        self.xyxy = detections.xyxy
        self.conf = detections.confidence
        self.cls = np.zeros(len(detections), np.float32)  # one class: person

    @property
    def xywh(self) -> FloatArray:
        """float32 (N, 4): centre x, centre y, width, height in pixels."""
        size = self.xyxy[:, 2:] - self.xyxy[:, :2]
        return np.concatenate([self.xyxy[:, :2] + size / 2, size], axis=1)

    def __len__(self) -> int:
        return len(self._detections)

    def __getitem__(self, mask: NDArray[np.bool_]) -> _Boxes:
        return _Boxes(self._detections[mask])
