"""Recall and precision of a detector on a real video with ground truth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from models.boxes import iou_matrix, ltwh_to_xyxy
from models.detections import Detections


class Detector(Protocol):
    def detect(self, images: list[NDArray[np.uint8]]) -> list[Detections]: ...


@dataclass(frozen=True, slots=True)
class DetectionScore:
    recall: float
    precision: float


def detection_score(detector: Detector, shared_data: Path, *, frame_step: int) -> DetectionScore:
    """Compare every `frame_step`-th frame of the PETS pedestrians with the truth at IoU 0.5."""
    truth = np.loadtxt(shared_data / "data/mot/PETS09-S2L1/gt/gt.txt", delimiter=",")
    capture = cv2.VideoCapture(str(shared_data / "data/video/pets09_s2l1.avi"))
    hits = people = boxes = 0
    for number in range(0, 795, frame_step):
        capture.set(cv2.CAP_PROP_POS_FRAMES, number)
        image = np.asarray(capture.read()[1], np.uint8)
        found = detector.detect([image])[0]
        ltwh = truth[(truth[:, 0] == number + 1) & (truth[:, 6] == 1), 2:6]
        iou = iou_matrix(ltwh_to_xyxy(ltwh.astype(np.float32)), found.xyxy)
        rows, columns = linear_sum_assignment(-iou)
        hits += int((iou[rows, columns] >= 0.5).sum())
        people, boxes = people + len(ltwh), boxes + len(found)
    return DetectionScore(recall=hits / people, precision=hits / boxes)
