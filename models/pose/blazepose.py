"""Estimate key points with BlazePose's landmark network, which processes one person at a time.

V. Bazarevsky et al., "BlazePose: On-device Real-time Body Pose tracking", 2020. Apache-2.0.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.boxes import FloatArray
from models.inference.openvino_network import OpenVinoFile
from models.pose.key_points import KeyPoints, not_found

SIDE = 256  # pixels of the network's input
# The network's 33 landmarks -> COCO's 17 (the figure of the paper's topology: 0 nose, 2 and 5 eyes,
# 7 and 8 ears, then shoulders, elbows, wrists 11-16, hips, knees, ankles 23-28).
COCO_OF_LANDMARKS = (0, 2, 5, 7, 8, *range(11, 17), *range(23, 29))
_VALUES = 5  # of a landmark: x, y, depth, logit of visible, logit of inside the image
# MediaPipe cuts the square around the whole body and enlarges it by a quarter (Apache-2.0,
# modules/pose_landmark/pose_detection_to_roi.pbtxt: scale 1.25).
CROP_SCALE = 1.25
# MediaPipe's threshold on the network's own answer whether a person is in the crop
# (tensors_to_pose_landmarks_and_segmentation.pbtxt).
MIN_PRESENCE = 0.5
# It was trained on upright people: its authors turn the crop by the line from hips to shoulders.
# From a box it is unknown where the head is, so a person whose box is not clearly upright is
# tried in three positions and the one is used in which the network is most certain of a person.
# Standing people are 2.5 times as tall as wide, with arms stretched out seldom under 1.2.
UPRIGHT_RATIO = 1.2  # height / width of the box
_TURNS_DEG = (0.0, 90.0, -90.0)


class BlazePoseEstimator:
    """One pass of the network per person; three for people who may be lying.

    Args:
        weights: a .tflite file of the landmark network, as `@mediapipe/pose` has them.

    Raises:
        ValueError: if it cannot be loaded, or is another network.
    """

    def __init__(self, weights: Path) -> None:
        self._network = OpenVinoFile(weights)
        if self._network.input_shape != (1, SIDE, SIDE, 3):
            raise ValueError(
                f"{weights} is no landmark network of BlazePose: its input is "
                f"{self._network.input_shape}, not {(1, SIDE, SIDE, 3)}"
            )
        outputs = self._network(np.zeros((1, SIDE, SIDE, 3), np.float32))
        if len(outputs) < 2 or outputs[0].size % _VALUES or outputs[1].size != 1:
            raise ValueError(f"{weights} is no landmark network of BlazePose: its outputs differ")
        if outputs[0].size // _VALUES <= max(COCO_OF_LANDMARKS):
            raise ValueError(f"{weights} has {outputs[0].size // _VALUES} landmarks, not 33")
        self.description = f"BlazePose {weights.name} ({SIDE}x{SIDE} per person, cpu)"

    def estimate(self, image: NDArray[np.uint8], xyxy: FloatArray) -> KeyPoints:
        """Estimate the key points of people whose boxes are known.

        Args:
            image: uint8 (H, W, 3) BGR.
            xyxy: float32 (N, 4) pixels.

        Returns:
            float32 (N, 17, 3): x, y in pixels, confidence that the point is visible; zeros where
            the network finds no person in the box.
        """
        found = not_found(len(xyxy))
        for row, box in enumerate(xyxy):
            width, height = box[2:] - box[:2]
            turns = _TURNS_DEG[:1] if height >= UPRIGHT_RATIO * width else _TURNS_DEG
            presence, points = max(
                (self._estimate_one(image, box, turn) for turn in turns), key=lambda one: one[0]
            )
            if presence >= MIN_PRESENCE:
                found[row] = points
        return found

    def _estimate_one(
        self, image: NDArray[np.uint8], box: FloatArray, turn_deg: float
    ) -> tuple[float, FloatArray]:
        """Return the probability of a person, and float32 (17, 3) key points."""
        to_crop = crop_transform(box, turn_deg)
        crop = cv2.warpAffine(image, to_crop, (SIDE, SIDE), flags=cv2.INTER_LINEAR)
        rgb = np.ascontiguousarray(crop[None, ..., ::-1], np.float32) / np.float32(255)
        landmarks, presence = self._network(rgb)[:2]
        rows = landmarks.reshape(-1, _VALUES)[list(COCO_OF_LANDMARKS)]
        back = cv2.invertAffineTransform(to_crop)
        xy = rows[:, :2] @ back[:, :2].T + back[:, 2]
        visible = 1 / (1 + np.exp(-rows[:, 3:4]))
        return float(presence.item()), np.hstack([xy, visible]).astype(np.float32)


def crop_transform(box: FloatArray, turn_deg: float) -> NDArray[np.float64]:
    """Return the affine map (2, 3) from the image to a person's square crop.

    Args:
        box: float32 (4,) xyxy, pixels.
        turn_deg: by which the crop is turned clockwise around the box's centre.
    """
    x1, y1, x2, y2 = (float(value) for value in box)
    scale = SIDE / (max(x2 - x1, y2 - y1) * CROP_SCALE)
    cos, sin = scale * np.cos(np.deg2rad(turn_deg)), scale * np.sin(np.deg2rad(turn_deg))
    x, y = (x1 + x2) / 2, (y1 + y2) / 2
    half = SIDE / 2
    return np.array([[cos, -sin, half - cos * x + sin * y], [sin, cos, half - sin * x - cos * y]])
