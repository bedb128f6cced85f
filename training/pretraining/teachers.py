"""Networks whose features are predicted: one of frames, or one that reads a clip as a stream."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models.boxes import FloatArray
from training.crops.crop_cache import Crops
from training.labels.samples import DataError

FRAMES = 4  # of a clip that a network of frames sees, evenly spread


class FrameTeacher:
    """A network of single images, for example one trained on ImageNet.

    Its input is float32 (N, 3, H, W) RGB, (value - mean) / std; of its first output, (N, D) or a
    feature map (N, D, h, w), the mean over space and frames is the feature of a clip.

    Args:
        path: a file that OpenVINO reads (.xml, .onnx, .tflite), with a fixed height and width.
        mean: of a colour on 0..255.
        std: of a colour on 0..255.

    Raises:
        DataError: naming the file, if it cannot be read or has another input.
    """

    def __init__(self, path: Path, *, mean: float = 127.0, std: float = 128.0) -> None:
        model = _read(path)
        shape = [_length(side) for side in model.inputs[0].partial_shape]
        if (
            len(model.inputs) != 1
            or len(shape) != 4
            or shape[1] != 3
            or not (shape[2] and shape[3])
        ):
            raise DataError(
                f"{path}: a teacher of frames has one input (N, 3, H, W) with a fixed H and W, "
                f"this one has {_described(model.inputs)}"
            )
        self._height, self._width = shape[2], shape[3]
        self._mean, self._std = np.float32(mean), np.float32(std)
        model.reshape({0: [1, 3, self._height, self._width]})
        self._request = _compiled(model)

    def features(self, crops: Crops) -> FloatArray:
        """Return the feature of a clip, uint8 (T, S, S, 3) BGR -> float32 (D,)."""
        rows = np.linspace(0, len(crops) - 1, min(FRAMES, len(crops))).round().astype(int)
        found = [self._feature(crops[row]) for row in rows]
        return np.asarray(np.mean(found, axis=0), np.float32)

    def _feature(self, crop: NDArray[np.uint8]) -> FloatArray:
        image = cv2.resize(crop, (self._width, self._height))[..., ::-1].astype(np.float32)
        normalized = np.ascontiguousarray(((image - self._mean) / self._std).transpose(2, 0, 1))
        output = np.asarray(self._request.infer([normalized[None]])[0])[0]
        return np.asarray(output.reshape(len(output), -1).mean(axis=1), np.float32)


class StreamTeacher:
    """A network that reads a clip frame by frame and carries states, as MoViNet's stream models.

    One input is the image, float32 (1, 1, H, W, 3) RGB on 0..1; all others are states, whose next
    values are outputs in the same order. One output, (1, classes), is no state. The state named
    `head_pool_buffer` is the sum over time of the pooled features.

    Args:
        path: a file that OpenVINO reads, usually .tflite.

    Raises:
        DataError: naming the file, if it cannot be read or is no such network.
    """

    def __init__(self, path: Path) -> None:
        model = _read(path)
        names = [next(iter(one.get_names()), "") for one in model.inputs]
        images = [n for n, one in enumerate(model.inputs) if _is_image(one.partial_shape)]
        self._states = [n for n in range(len(names)) if n not in images]
        self._next = [
            n for n, one in enumerate(model.outputs) if one.partial_shape.rank.get_length() != 2
        ]
        pools = [n for n in self._states if "head_pool_buffer" in names[n]]
        if len(images) != 1 or len(self._next) != len(self._states) or len(pools) != 1:
            raise DataError(
                f"{path}: a stream teacher has one input (1, 1, H, W, 3), a next value for each "
                "state, and a state head_pool_buffer, as MoViNet's stream models; this one has "
                f"the inputs {_described(model.inputs)}"
            )
        self._image, self._pool = images[0], self._states.index(pools[0])
        height, width = (_length(side) for side in list(model.inputs[images[0]].partial_shape)[2:4])
        self._wh = width, height
        self._zeros = {
            n: np.zeros(
                tuple(model.inputs[n].partial_shape.get_min_shape()),
                model.inputs[n].element_type.to_dtype(),
            )
            for n in self._states
        }
        self._request = _compiled(model)

    def features(self, crops: Crops) -> FloatArray:
        """Return the feature of a clip, uint8 (T, S, S, 3) BGR -> float32 (D,)."""
        states = dict(self._zeros)
        for crop in crops:
            image = cv2.resize(crop, self._wh)[..., ::-1].astype(np.float32) / 255
            outputs = self._request.infer({**states, self._image: image[None, None]})
            # Copies: the request writes into its outputs again.
            states = {
                to: np.array(outputs[output])
                for to, output in zip(self._states, self._next, strict=True)
            }
        summed = states[self._states[self._pool]].reshape(-1)
        return np.asarray(summed / len(crops), np.float32)


Teacher = FrameTeacher | StreamTeacher


def _read(path: Path) -> Any:
    import openvino

    if not path.is_file():
        raise DataError(f"{path}: there is no such teacher")
    try:
        return openvino.Core().read_model(str(path))
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise DataError(f"{path}: OpenVINO cannot read it as a network ({reason})") from error


def _compiled(model: Any) -> Any:
    import openvino

    # One thread: the clips of a data set are many, and other work runs beside them.
    options = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1}
    return openvino.Core().compile_model(model, "CPU", options).create_infer_request()


def _length(side: Any) -> int:
    """Return a fixed length of a dimension; 0 if it is dynamic."""
    return int(side.get_length()) if side.is_static else 0


def _is_image(shape: Any) -> bool:
    sides = [_length(side) for side in shape]
    # A pooled state of three channels has the shape of an image of one pixel.
    return len(sides) == 5 and sides[:2] == [1, 1] and sides[4] == 3 and sides[2] > 1


def _described(ports: Any) -> str:
    return ", ".join(str(port.partial_shape) for port in list(ports)[:4])
