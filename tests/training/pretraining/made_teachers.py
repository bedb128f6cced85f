"""Small teachers: the mean colour of frames, and of a stream."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openvino
from openvino import opset13 as ops


def write_frame_teacher(path: Path) -> Path:
    """A network whose feature map is its image."""
    image = ops.parameter([-1, 3, 8, 8], np.float32, name="image")
    openvino.save_model(openvino.Model([ops.relu(image)], [image], "frames"), path)
    return path


def write_stream_teacher(path: Path, *, pool: str = "state_head_pool_buffer") -> Path:
    """A network that adds the mean colour of each frame to its state."""
    image = ops.parameter([1, 1, 8, 8, 3], np.float32, name="image")
    state = ops.parameter([1, 1, 1, 1, 3], np.float32, name=pool)
    for node in (image, state):
        node.output(0).get_tensor().set_names({node.get_friendly_name()})
    colour = ops.reduce_mean(image, np.array([2, 3]), keep_dims=True)
    scores = ops.reshape(ops.add(state, colour), np.array([1, 3]), special_zero=False)
    model = openvino.Model([ops.add(state, colour), scores], [image, state], "stream")
    openvino.save_model(model, path, compress_to_fp16=False)
    return path
