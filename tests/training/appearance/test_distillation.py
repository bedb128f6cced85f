"""The small appearance network learns from a teacher."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from models.detectors.appearance_network import FEATURES, AppearanceNetwork
from training.appearance.distillation import fidelity, fit_head, start_weights, to_input

CROPS = np.random.default_rng(0).integers(0, 256, (8, 160, 80, 3), np.uint8)


def made_up_targets() -> np.ndarray:
    targets = np.random.default_rng(1).normal(size=(8, FEATURES)).astype(np.float32)
    return targets / np.linalg.norm(targets, axis=1, keepdims=True)


def test_the_head_is_fitted_to_the_teacher() -> None:
    torch.manual_seed(0)
    network, targets = AppearanceNetwork().eval(), made_up_targets()
    before, _ = fidelity(network, CROPS, targets)
    fit_head(network, CROPS, targets)
    after, agreement = fidelity(network, CROPS, targets)
    assert after > before + 0.2
    assert agreement > 0.5


def test_people_are_shown_in_red_green_blue_around_zero() -> None:
    blue = np.zeros((2, 128, 64, 3), np.uint8)
    blue[..., 0] = 255
    pixels = to_input(blue)
    assert pixels.shape == (2, 3, 128, 64)
    assert pixels[0, :, 0, 0].tolist() == [-127 / 128, -127 / 128, 1]


def test_batch_norms_are_merged_into_the_start(tmp_path: Path) -> None:
    network = AppearanceNetwork()
    stored: dict[str, torch.Tensor] = {}
    generator = torch.Generator().manual_seed(0)

    def add(conv: str, norm: str, weight: torch.Tensor) -> None:
        stored[f"{conv}.weight"] = torch.rand(weight.shape, generator=generator)
        for name in ("weight", "bias", "running_mean", "running_var"):
            stored[f"{norm}.{name}"] = torch.rand(len(weight), generator=generator)

    add("_conv_stem", "_bn0", network.stem[0].weight)
    names = [("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2")]
    for number, block in enumerate(network.blocks):
        convolutions = [one for one in block.layers if isinstance(one, nn.Conv2d)]
        for (conv, norm), layer in zip(names[-len(convolutions) :], convolutions, strict=True):
            add(f"_blocks.{number}.{conv}", f"_blocks.{number}.{norm}", layer.weight)
    torch.save(stored, tmp_path / "lite0.pth")
    network.load_state_dict(start_weights(tmp_path / "lite0.pth"), strict=False)
    image = torch.rand(1, 3, 16, 16)
    with torch.inference_mode():
        plain = nn.functional.batch_norm(
            nn.functional.conv2d(image, stored["_conv_stem.weight"], stride=2, padding=1),
            stored["_bn0.running_mean"],
            stored["_bn0.running_var"],
            stored["_bn0.weight"],
            stored["_bn0.bias"],
            eps=1e-3,
        )
        torch.testing.assert_close(network.stem[0](image), plain)
