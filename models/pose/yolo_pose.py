"""Estimate key points with an ultralytics pose network, which processes whole images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.boxes import FloatArray, iou_matrix
from models.detectors.ultralytics_import import import_ultralytics
from models.detectors.yolo import WARM_UP_SHAPE, refuse_nan
from models.inference.signal_stack import signal_stack_kept
from models.pose.key_points import COUNT, KeyPoints, not_found

# Its boxes and those of a tracker are of the same image: where they are the same person they
# overlap by two thirds and more. Two people side by side overlap by less than a third.
MIN_IOU = 0.4
MAX_IOU = 0.7  # of two people that the network finds
# A box that is tracked already needs no second opinion on whether it is a person.
MIN_CONFIDENCE = 0.1


class YoloPoseEstimator:
    """One pass over an image estimates everybody in it; people are matched to boxes by overlap.

    Args:
        weights: a file or folder that ultralytics loads: .pt, .onnx, an OpenVINO folder, whose
            name ends in _openvino_model.
        image_size: longer side in pixels to which images are scaled. A static export has its
            own and keeps it.
        device: "cpu" or "cuda:N", for .pt weights.

    Raises:
        ValueError: if they cannot be loaded, or are no pose network of 17 key points.
    """

    def __init__(self, weights: Path, *, image_size: int, device: str) -> None:
        self._options = {
            "conf": MIN_CONFIDENCE,
            "iou": MAX_IOU,
            "imgsz": image_size,
            "device": device,
        }
        try:
            with signal_stack_kept():  # an OpenVINO folder changes it
                self._model = import_ultralytics().YOLO(str(weights), task="pose")
                points = self._predict(np.zeros(WARM_UP_SHAPE, np.uint8))[1]
        except ModuleNotFoundError:  # the caller knows which extra brings it
            raise
        except Exception as error:  # whatever the format's own library raises on bad files
            cause = f"{type(error).__name__}: {error}"
            raise ValueError(f"{weights} cannot be loaded as pose weights ({cause})") from error
        refuse_nan(weights, self._model.model)
        if points.shape[1:] != (COUNT, 3):
            raise ValueError(f"{weights} is no pose network of the {COUNT} key points of COCO")
        backend = self._model.predictor.model
        sides = "x".join(str(side) for side in self._model.predictor.imgsz)
        self.description = f"YOLO {weights.name} ({backend.format}, {sides}, {backend.device})"

    def estimate(self, image: NDArray[np.uint8], xyxy: FloatArray) -> KeyPoints:
        """Estimate the key points of people whose boxes are known.

        Args:
            image: uint8 (H, W, 3) BGR.
            xyxy: float32 (N, 4) pixels.

        Returns:
            float32 (N, 17, 3): x, y in pixels, confidence; zeros where no person of the network
            overlaps the box.
        """
        found = not_found(len(xyxy))
        if len(xyxy) == 0:
            return found
        boxes, points = self._predict(image)
        for row, column in match_by_iou(xyxy, boxes, MIN_IOU):
            found[row] = points[column]
        return found

    def _predict(self, image: NDArray[np.uint8]) -> tuple[FloatArray, KeyPoints]:
        """Return float32 (M, 4) boxes and (M, K, 3) key points of everybody in the image."""
        result = self._model.predict(image, verbose=False, save=False, **self._options)[0]
        if result.keypoints is None:
            raise ValueError("it gives no key points")
        boxes = np.asarray(result.boxes.xyxy.cpu(), np.float32)
        return boxes, np.asarray(result.keypoints.data.cpu(), np.float32)


def match_by_iou(a_xyxy: FloatArray, b_xyxy: FloatArray, least: float) -> list[tuple[int, int]]:
    """Pair boxes, those that overlap most first.

    Args:
        a_xyxy: float32 (N, 4).
        b_xyxy: float32 (M, 4).
        least: overlap (IoU) under which two boxes are no pair.

    Returns:
        Pairs of a row of `a_xyxy` and a row of `b_xyxy`; each row occurs at most once.
    """
    iou = iou_matrix(a_xyxy, b_xyxy)
    pairs: list[tuple[int, int]] = []
    # Stable, so that equal overlaps are taken in the order of the rows.
    for flat in np.argsort(-iou, axis=None, kind="stable"):
        row, column = (int(index) for index in np.unravel_index(flat, iou.shape))
        if iou[row, column] < least:
            break
        if not any(row == r or column == c for r, c in pairs):
            pairs.append((row, column))
    return pairs
