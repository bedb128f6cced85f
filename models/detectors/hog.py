"""Find people with the detector bundled with OpenCV, which needs no weights.

Dalal and Triggs' histograms of oriented gradients with OpenCV's default people model. It finds
upright people seen from the side; it does not work for close-ups and views from above.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from models.boxes import FloatArray, iou_matrix
from models.detections import Detections

Image = NDArray[np.uint8]  # (H, W, 3) BGR

WINDOW_WH = (64, 128)  # the model's window, pixels
# Chosen on every 16th frame of PETS09-S2L1, against its ground truth at IoU 0.5: recall 0.75,
# precision 0.82, 110 ms per frame on two cores. Sides of 1152 and 1440 pixels give recall 0.66
# and 0.72; a pyramid scale of 1.2, 0.69 in half the time. People must be at least as tall as the
# window, hence the enlargement: at the native 768 pixels recall is 0.14.
LONGER_SIDE = 1344  # pixels to which the longer side of an image is scaled
PYRAMID_SCALE = 1.1  # between two sizes of people
HIT_THRESHOLD = 0.2  # SVM margin below which a window is no person
STRIDE_WH = (8, 8)  # pixels between two windows
PADDING_WH = (8, 8)  # pixels around the image, for people at its edge
GROUP_THRESHOLD = 2  # neighbouring windows that must agree
MAX_IOU = 0.45  # of two boxes that overlap more, the less confident is dropped
# The model was trained with a margin around people: fractions of the window to cut off.
SIDE_MARGIN, TOP_MARGIN, BOTTOM_MARGIN = 0.12, 0.07, 0.05
# On the same frames the fraction of boxes that are people rises from 0.1 at an SVM margin of 0.65
# through 0.7 at 1.0 to 0.9 at 1.6; this logistic curve follows that.
CONFIDENCE_SLOPE, MARGIN_OF_HALF = 5.0, 0.85


class HogPersonDetector:
    """OpenCV's default people detector; needs no weights and no GPU.

    Args:
        confidence: detections below it are dropped, in [0, 1].
    """

    def __init__(self, *, confidence: float = 0.0) -> None:
        self._confidence = confidence
        self._hog = cv2.HOGDescriptor()
        people = np.array(cv2.HOGDescriptor.getDefaultPeopleDetector(), np.float32)
        self._hog.setSVMDetector(people)
        self.description = f"HOG of OpenCV {cv2.__version__} (longer side {LONGER_SIDE}, cpu)"

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """Find the people of each image.

        Args:
            images: uint8 (H, W, 3) BGR, of any sizes.

        Returns:
            One Detections per image, the most confident person first.
        """
        return [self._detect_one(image) for image in images]

    def _detect_one(self, image: Image) -> Detections:
        height, width = image.shape[:2]
        zoom = LONGER_SIDE / max(height, width)
        zoomed_wh = (round(width * zoom), round(height * zoom))
        if zoomed_wh[0] < WINDOW_WH[0] or zoomed_wh[1] < WINDOW_WH[1]:
            return Detections.empty()  # too narrow for the model's window
        windows, margins = self._hog.detectMultiScale(
            cv2.resize(image, zoomed_wh, interpolation=cv2.INTER_LINEAR),
            hitThreshold=HIT_THRESHOLD,
            winStride=STRIDE_WH,
            padding=PADDING_WH,
            scale=PYRAMID_SCALE,
            groupThreshold=GROUP_THRESHOLD,
        )
        ltwh = np.asarray(windows, np.float32).reshape(-1, 4)
        confidence = margin_to_confidence(np.asarray(margins, np.float32).reshape(-1))
        people = Detections(without_margin(ltwh) / np.float32(zoom), confidence)
        people = people.inside(width, height)
        return suppress_overlaps(people[people.confidence >= self._confidence], MAX_IOU)


def without_margin(ltwh: FloatArray) -> FloatArray:
    """(N, 4) windows of the model as left, top, width, height -> (N, 4) xyxy of the person."""
    left, top, width, height = ltwh.T
    return np.stack(
        [
            left + SIDE_MARGIN * width,
            top + TOP_MARGIN * height,
            left + (1 - SIDE_MARGIN) * width,
            top + (1 - BOTTOM_MARGIN) * height,
        ],
        axis=1,
    )


def margin_to_confidence(margin: FloatArray) -> FloatArray:
    """(N,) SVM margins -> (N,) confidence in [0, 1]."""
    confidence: FloatArray = 1 / (1 + np.exp(CONFIDENCE_SLOPE * (MARGIN_OF_HALF - margin)))
    return confidence.astype(np.float32)


def suppress_overlaps(found: Detections, max_iou: float) -> Detections:
    """Keep the more confident of two boxes that overlap more than `max_iou`; best first."""
    # OpenCV's threads return the windows in any order: the boxes themselves must decide.
    found = found[np.lexsort((*found.xyxy.T[::-1], -found.confidence))]
    iou = iou_matrix(found.xyxy, found.xyxy)
    kept = np.ones(len(found), bool)
    for row in range(len(found)):
        if kept[row]:
            kept[row + 1 :] &= iou[row, row + 1 :] <= max_iou
    return found[kept]
