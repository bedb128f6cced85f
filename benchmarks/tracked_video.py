"""Runs our detector and tracker over a video, for the benchmarks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from models.appearance import AppearanceEncoder
from models.hog_detector import HogPersonDetector
from models.person_detector import YoloPersonDetector
from pipeline.deep_sort_tracker import DeepSortTracker
from pipeline.detection import detect_people
from pipeline.tracking import Tracker, track_people
from pipeline.types import Frame, TrackedFrame
from pipeline.ultralytics_tracker import UltralyticsTracker

TrackerName = Literal["deepsort", "bytetrack", "botsort"]
MotRow = tuple[float, int, float, float, float, float, float]  # as in a MOTChallenge file

# As configs/default.yaml has them; a benchmark does not read the configuration.
YOLO_IOU = 0.7
YOLO_IMAGE_SIZE = 640
MAX_AGE = 30
N_INIT = 3
MAX_IOU_DISTANCE = 0.85
MAX_COSINE_DISTANCE = 0.25
NN_BUDGET = 100
ENCODER_WH = (96, 192)


def track_video(
    video: Path, weights: Path | None, *, tracker: TrackerName, confidence: float
) -> tuple[dict[int, list[MotRow]], str]:
    """Track every frame of a video on the CPU.

    Args:
        video: any file that OpenCV decodes.
        weights: of a YOLO; None takes the detector that is always there.
        tracker: which one.
        confidence: the detector's threshold.

    Returns:
        The rows of a MOTChallenge file by frame number from 1, and the detector's description.
    """
    detector = _detector(weights, confidence)
    frames = ([frame] for frame in _frames(video))
    detected = detect_people(frames, detector, time.time)
    tracked = track_people(detected, _tracker_factory(tracker, confidence), time.time)
    found = {
        item.frame.index + 1: _rows(item)
        for item in tracked
        if isinstance(item, TrackedFrame) and item.people
    }
    return found, detector.description


def _detector(weights: Path | None, confidence: float) -> YoloPersonDetector | HogPersonDetector:
    if weights is None:
        return HogPersonDetector(confidence=confidence)
    return YoloPersonDetector(
        weights,
        confidence=confidence,
        iou=YOLO_IOU,
        image_size=YOLO_IMAGE_SIZE,
        device="cpu",
        batch_size=1,
    )


def _tracker_factory(name: TrackerName, confidence: float) -> Callable[[], Tracker]:
    if name != "deepsort":
        return partial(UltralyticsTracker, name, max_age=MAX_AGE, high_confidence=confidence)
    return partial(
        DeepSortTracker,
        AppearanceEncoder(input_wh=ENCODER_WH, device="cpu"),
        max_age=MAX_AGE,
        n_init=N_INIT,
        max_iou_distance=MAX_IOU_DISTANCE,
        max_cosine_distance=MAX_COSINE_DISTANCE,
        nn_budget=NN_BUDGET,
    )


def _frames(video: Path) -> Iterator[Frame]:
    capture = cv2.VideoCapture(str(video))
    try:
        index = 0
        while (image := capture.read()[1]) is not None:
            pts_s = index / capture.get(cv2.CAP_PROP_FPS)
            yield Frame(video.stem, index, pts_s, 0.0, np.asarray(image, np.uint8))
            index += 1
    finally:
        capture.release()


def _rows(item: TrackedFrame) -> list[MotRow]:
    return [
        (item.frame.index + 1, p.track_id, x1, y1, x2 - x1, y2 - y1, p.confidence)
        for p in item.people
        for x1, y1, x2, y2 in [p.xyxy.tolist()]
    ]
