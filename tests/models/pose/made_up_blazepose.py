"""A network of BlazePose's inputs and outputs whose answers are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openvino
from openvino import opset15 as ops

from models.pose.blazepose import SIDE

LANDMARKS = 39
HEAD_ROWS = 64  # a person is in the crop as far as these rows at the top are white
POINT = (96.0, 32.0)  # where every landmark is in the crop, pixels


def save_blazepose(path: Path, *, side: int = SIDE) -> Path:
    image = ops.parameter([1, side, side, 3], np.float32)
    landmark = [*POINT, 0.0, 2.0, 9.0]  # x, y, depth, visible (logit), inside (logit)
    zero = ops.multiply(ops.reduce_mean(image, np.array([0, 1, 2, 3])), np.float32(0))
    landmarks = ops.add(zero, np.array([landmark * LANDMARKS], np.float32))
    top = ops.slice(image, np.array([0]), np.array([HEAD_ROWS]), np.array([1]), np.array([1]))
    presence = ops.reshape(ops.reduce_mean(top, np.array([0, 1, 2, 3])), np.array([1, 1]), False)
    openvino.save_model(openvino.Model([landmarks, presence], [image]), path)
    return path
