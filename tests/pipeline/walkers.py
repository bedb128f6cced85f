"""Coloured figures that walk through made frames, for the trackers' tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.boxes import FloatArray
from models.detections import Detections
from pipeline.stages.tracking import Tracker
from pipeline.types import Frame, Image, TrackedPerson

WIDTH, HEIGHT = 320, 240
FIGURE_WH = (24, 60)
Seen = tuple[tuple[TrackedPerson, ...], tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Walker:
    """A person who walks at constant speed."""

    color: tuple[int, int, int]  # BGR
    start_xy: tuple[float, float]  # centre, pixels
    step_xy: tuple[float, float]  # pixels per frame
    hidden: range = range(0)  # frames in which the detector does not see them
    leaves_at: int = 10_000  # first frame without them

    def is_seen_at(self, index: int) -> bool:
        return index not in self.hidden and index < self.leaves_at

    def xyxy_at(self, index: int) -> list[float]:
        x, y = (s + index * step for s, step in zip(self.start_xy, self.step_xy, strict=True))
        half_width, half_height = FIGURE_WH[0] / 2, FIGURE_WH[1] / 2
        return [x - half_width, y - half_height, x + half_width, y + half_height]


class MeanColorEncoder:
    """Describes people by the colour of their middle: enough to distinguish the walkers."""

    def encode(self, image: Image, xyxy: FloatArray) -> FloatArray:
        features = np.zeros((len(xyxy), 3), np.float32)
        for row, (x1, y1, x2, y2) in enumerate(xyxy):
            middle = image[int(y1 + y2) // 2, int(x1 + x2) // 2].astype(np.float32) + 1
            features[row] = middle / np.linalg.norm(middle)
        return features


def render(
    walkers: Sequence[Walker], index: int, camera_id: str = "gate"
) -> tuple[Frame, Detections]:
    """One frame and the detections of a perfect detector; later walkers stand in front."""
    image = np.full((HEIGHT, WIDTH, 3), 40, np.uint8)
    boxes = [walker.xyxy_at(index) for walker in walkers if walker.is_seen_at(index)]
    for walker in walkers:
        if walker.is_seen_at(index):
            x1, y1, x2, y2 = (max(0, round(v)) for v in walker.xyxy_at(index))
            image[y1:y2, x1:x2] = walker.color
    xyxy = np.array(boxes, np.float32).reshape(-1, 4)
    confidence = np.linspace(0.9, 0.8, len(xyxy), dtype=np.float32)
    return Frame(camera_id, index, index / 25, 0.0, image, 0.0), Detections(xyxy, confidence)


def follow(tracker: Tracker, walkers: Sequence[Walker], frames: int) -> list[Seen]:
    """Return what the tracker reports for each frame."""
    return [tracker.update(*render(walkers, index)) for index in range(frames)]


def id_of(walker: Walker, seen: Seen, index: int) -> int | None:
    """The id of the person whose box is this walker's, if they have one."""
    box = np.array(walker.xyxy_at(index), np.float32)
    return next((p.track_id for p in seen[0] if np.abs(p.xyxy - box).max() < 1e-3), None)
