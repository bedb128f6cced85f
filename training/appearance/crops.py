"""Cut people out of the detector's training images, each several times and never twice alike."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.boxes import FloatArray
from models.detections import Detections
from pipeline.stages.detection import PersonDetector
from training.detector.frames import list_sources, take_frames

Image = NDArray[np.uint8]  # (H, W, 3) BGR

CROP_WH = (80, 160)  # pixels of a crop
MIN_HEIGHT, MIN_WIDTH = 24, 8  # pixels; smaller people have no look
MIN_CONFIDENCE = 0.3
COPIES = 3  # of each person, with other borders
JITTER = 0.04  # of a box's sides: standard deviation of its borders, as detectors jitter
LEFT_OUT = ("pets09_s2l1",)  # tracking is reported on it


def people_of(data: Path, detector: PersonDetector, seed: int) -> Iterator[Image]:
    """Cut the people out of all images but those of LEFT_OUT.

    Args:
        data: see `training.detector.frames.list_sources`.
        detector: finds them.
        seed: of the borders.
    """
    rng = np.random.default_rng(seed)
    for source in list_sources(data):
        if source.part not in LEFT_OUT:
            for image in take_frames(source):
                yield from cut_people(image, detector.detect([image])[0], rng)


def cut_people(image: Image, people: Detections, rng: np.random.Generator) -> Iterator[Image]:
    """Cut out everybody large and certain enough, COPIES times.

    Args:
        image: uint8 (H, W, 3) BGR.
        people: in it.
        rng: moves the borders.

    Yields:
        uint8 (160, 80, 3) BGR.
    """
    height, width = image.shape[:2]
    for xyxy, confidence in zip(people.xyxy, people.confidence, strict=True):
        sides = xyxy[2:] - xyxy[:2]
        if confidence < MIN_CONFIDENCE or sides[0] < MIN_WIDTH or sides[1] < MIN_HEIGHT:
            continue
        for _ in range(COPIES):
            x1, y1, x2, y2 = jittered(xyxy, rng, width, height)
            yield np.asarray(cv2.resize(image[y1:y2, x1:x2], CROP_WH), np.uint8)


def jittered(
    xyxy: FloatArray, rng: np.random.Generator, width: int, height: int
) -> tuple[int, int, int, int]:
    """Move the borders of a box a little; whole pixels inside the image, at least four wide."""
    sides = np.tile(xyxy[2:] - xyxy[:2], 2)
    x1, y1, x2, y2 = (xyxy + rng.normal(0, JITTER, 4) * sides).round().astype(int).tolist()
    x1, y1 = min(max(x1, 0), width - 4), min(max(y1, 0), height - 4)
    return x1, y1, min(max(x2, x1 + 4), width), min(max(y2, y1 + 4), height)
