"""The backbone against published numbers and outputs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from models.architectures import slowfast_r50_4x16
from models.recognizer3d import Recognizer3D
from models.slowfast import ResNet3dSlowFast, select_slow
from tests.models.slowfast_fixtures import MAX_ERROR, fixture_folder, load_recipe

INPUTS = {
    "open:A": (1, 3, 32, 112, 112),
    "open:B": (2, 3, 32, 64, 64),
    "open:C": (1, 3, 16, 75, 91),
}


@pytest.fixture(scope="module")
def filled_r50(shared_data: Path) -> Recognizer3D:
    recognizer = slowfast_r50_4x16(400).eval()
    load_recipe(fixture_folder(shared_data)).fill(recognizer)
    return recognizer


@pytest.mark.parametrize("name", INPUTS)
def test_r50_4x16_gives_the_scores_of_mmaction2(
    name: str, filled_r50: Recognizer3D, shared_data: Path
) -> None:
    folder = fixture_folder(shared_data)
    clip = torch.from_numpy(load_recipe(folder).video(name, INPUTS[name]))
    expected = np.load(folder / "mmaction2_slowfast_r50_4x16x1_logits.npz")[name]
    with torch.inference_mode():
        logits = filled_r50(clip).numpy()
    assert np.abs(logits - expected).max() / expected.std() < MAX_ERROR


def test_stage_shapes_are_those_of_the_paper() -> None:
    backbone = ResNet3dSlowFast(18, base_channels=16, alpha=4, beta_inv=4)
    slow, fast = torch.zeros(1, 3, 2, 64, 64), torch.zeros(1, 3, 8, 64, 64)
    with torch.inference_mode():
        slow_features, fast_features = backbone.eval()(slow, fast)
    assert slow_features.shape == (1, 128, 2, 2, 2)
    assert fast_features.shape == (1, 32, 8, 2, 2)
    assert backbone.out_channels == (128, 32)


@pytest.mark.parametrize(
    ("sampling", "frames"),
    [
        ("stride", [0, 4, 8, 12, 16, 20, 24, 28]),
        ("linspace", [0, 4, 8, 13, 17, 22, 26, 31]),
    ],
)
def test_slow_frames_follow_their_family(sampling: str, frames: list[int]) -> None:
    numbered = torch.arange(32.0).view(1, 1, 32, 1, 1)
    chosen = select_slow(numbered, 4, sampling)  # type: ignore[arg-type]
    assert chosen.flatten().tolist() == frames


def test_alpha_must_divide_the_clip() -> None:
    with pytest.raises(ValueError, match="alpha 8 does not divide the 12 frames"):
        select_slow(torch.zeros(1, 3, 12, 4, 4), 8)


def test_beta_inv_must_divide_the_channels() -> None:
    with pytest.raises(ValueError, match="beta_inv 5"):
        ResNet3dSlowFast(18, base_channels=16, beta_inv=5)
