"""The appearance network that ships."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from models.detectors.appearance_network import (
    FEATURES,
    WEIGHTS,
    AppearanceNetwork,
    load_appearance_network,
)


def test_it_is_under_two_megabytes() -> None:
    assert WEIGHTS.suffix == ".safetensors"
    assert WEIGHTS.stat().st_size < 2e6


def test_weights_of_half_precision_are_loaded_as_single(tmp_path: Path) -> None:
    network = AppearanceNetwork()
    half = {name: value.half() for name, value in network.state_dict().items()}
    save_file(half, tmp_path / "w.safetensors")
    loaded = load_appearance_network(tmp_path / "w.safetensors")
    assert not loaded.training
    assert {value.dtype for value in loaded.parameters()} == {torch.float32}
    with torch.inference_mode():
        assert loaded(torch.rand(2, 3, 128, 64)).shape == (2, FEATURES)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no weights of the appearance network at .*x\.s"):
        load_appearance_network(tmp_path / "x.safetensors")
