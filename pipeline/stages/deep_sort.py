"""DeepSORT tracking by motion and appearance; the adapter to deep-sort-realtime.

Its stock embedders are not imported: they need pkg_resources, which setuptools has dropped.
"""

from __future__ import annotations

import logging
from typing import Protocol

from deep_sort_realtime.deepsort_tracker import DeepSort
from threadpoolctl import threadpool_limits

from models.boxes import FloatArray, xyxy_to_ltwh
from models.detections import Detections
from pipeline.types import Frame, Image, TrackedPerson

# Each tracker logs its settings in ten lines at INFO.
logging.getLogger("deep_sort_realtime").setLevel(logging.WARNING)


class Encoder(Protocol):
    """Interface of an appearance model."""

    def encode(self, image: Image, xyxy: FloatArray) -> FloatArray:
        """Compute appearance features.

        Args:
            image: uint8 (H, W, 3) BGR.
            xyxy: float32 (N, 4) boxes in pixels, inside the image.

        Returns:
            float32 (N, D) of unit length, one row per box.
        """
        ...


class DeepSortTracker:
    """One camera's DeepSORT.

    Args:
        encoder: appearance model; shared by the trackers of all cameras.
        max_age: frames without a detection after which a track ends.
        n_init: consecutive detections that confirm a track.
        max_iou_distance: largest 1 - IoU of a match.
        max_cosine_distance: largest distance of the features of a match.
        nn_budget: newest features kept per track; bounds memory and time per frame.
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
            # A partly occluded person has a box of another shape in the same place: gating by
            # shape too, IDF1 drops from 0.67 to 0.59 on TUD-Campus, 0.80 to 0.76 on PETS09-S2L1.
            gating_only_position=True,
            embedder=None,  # else it loads a separate network per camera
        )
        self._confirmed: set[int] = set()

    def update(
        self, frame: Frame, detections: Detections
    ) -> tuple[tuple[TrackedPerson, ...], tuple[int, ...]]:
        """Process the next frame; see `pipeline.stages.tracking.Tracker.update`."""
        visible = detections.inside(*frame.wh)
        features = self._encoder.encode(frame.image, visible.xyxy)
        # deep-sort-realtime drops empty boxes but not their features; `inside` leaves none.
        boxes = [
            (ltwh, confidence, "person")
            for ltwh, confidence in zip(
                xyxy_to_ltwh(visible.xyxy).tolist(), visible.confidence.tolist(), strict=True
            )
        ]
        # `others` is returned on the track: the row of the detection it was matched with.
        tracks = self._deep_sort.update_tracks(
            boxes, embeds=list(features), others=list(range(len(boxes)))
        )
        confirmed = {int(track.track_id): track for track in tracks if track.is_confirmed()}
        ended = tuple(sorted(self._confirmed - confirmed.keys()))
        self._confirmed = set(confirmed)
        people = tuple(
            TrackedPerson(
                track_id,
                visible.xyxy[track.others],
                float(visible.confidence[track.others]),
                feature=features[track.others],
            )
            for track_id, track in sorted(confirmed.items())
            if track.time_since_update == 0  # else the box is predicted by the motion model
        )
        return people, ended

    @property
    def gallery_size(self) -> int:
        """Number of stored features of all tracks; at most `nn_budget` per confirmed track."""
        return sum(len(features) for features in self._deep_sort.tracker.metric.samples.values())


def _limit_blas_threads() -> None:
    """Restrict BLAS to the calling thread, process-wide; PyTorch has separate threads.

    The Kalman filter solves 4x4 systems one by one. For each, OpenBLAS wakes a thread per core
    that spins afterwards: five times the time here, at the cost of the networks.
    """
    threadpool_limits(limits=1, user_api="blas")
