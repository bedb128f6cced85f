"""The detection stage: frames in, frames with their people out."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Protocol

from models.detections import Detections
from pipeline.types import DetectedFrame, Frame, Image, StreamEnd


class PersonDetector(Protocol):
    """What the stage needs of a detector."""

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """Find the people of each uint8 (H, W, 3) BGR image."""
        ...


def detect_people(
    batches: Iterable[Sequence[Frame | StreamEnd]],
    detector: PersonDetector,
    now: Callable[[], float],
) -> Generator[DetectedFrame | StreamEnd, None, None]:
    """Detect the people of all frames of a batch in one call; one item per item, in order."""
    for batch in batches:
        images = [item.image for item in batch if isinstance(item, Frame)]
        detections = iter(detector.detect(images) if images else [])
        detected_at = now()
        for item in batch:
            if isinstance(item, StreamEnd):
                yield item
            else:
                yield DetectedFrame(item, next(detections), detected_at)
