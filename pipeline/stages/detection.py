"""The detection stage: find the people of every frame."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Protocol

from models.detections import Detections
from pipeline.types import DetectedFrame, Frame, Image, StreamEnd


class PersonDetector(Protocol):
    """Interface of a person detector."""

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """Detect people.

        Args:
            images: uint8 (H, W, 3) BGR each, of any sizes.

        Returns:
            One `Detections` per image, in order.
        """
        ...


def detect_people(
    batches: Iterable[Sequence[Frame | StreamEnd]],
    detector: PersonDetector,
    now: Callable[[], float],
) -> Generator[DetectedFrame | StreamEnd, None, None]:
    """Detect the people of all frames of a batch in one detector call.

    Args:
        batches: frames of any number of cameras, and the ends of cameras.
        detector: called once per batch that holds a frame.
        now: Unix seconds.

    Yields:
        One item per item of the batches, in order.
    """
    for batch in batches:
        images = [item.image for item in batch if isinstance(item, Frame)]
        detections = iter(detector.detect(images) if images else [])
        detected_at = now()
        for item in batch:
            if isinstance(item, StreamEnd):
                yield item
            else:
                yield DetectedFrame(item, next(detections), detected_at)
