"""The networks by name: parameter counts, keys, inputs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from models.architectures import (
    build_architecture,
    slowfast_compact,
    slowfast_r50_4x16,
    slowfast_r50_8x8,
)
from tests.models.slowfast_fixtures import fixture_folder


def test_parameter_counts_are_the_published_ones() -> None:
    for build, count in ((slowfast_r50_4x16, 34_479_288), (slowfast_r50_8x8, 34_565_560)):
        assert sum(p.numel() for p in build(400).parameters()) == count


@pytest.mark.parametrize("name", ["slowfast_r50_4x16", "slowfast_r50_8x8"])
def test_keys_and_shapes_are_those_of_mmaction2(name: str, shared_data: Path) -> None:
    keys = fixture_folder(shared_data) / "keys" / f"mmaction2_{name}x1.json"
    expected = {key: tuple(shape) for key, (shape, _) in json.loads(keys.read_text()).items()}
    state = build_architecture(name, 400).state_dict()
    assert {key: tuple(value.shape) for key, value in state.items()} == expected


def test_compact_fits_into_15_megabytes_of_float16() -> None:
    assert 2 * sum(p.numel() for p in slowfast_compact(10).parameters()) < 15e6


def test_compact_takes_the_clips_that_it_asks_for() -> None:
    recognizer = slowfast_compact(7).eval()
    spec = recognizer.input_spec
    with torch.inference_mode():
        logits = recognizer(torch.zeros(1, 3, spec.clip_len, spec.crop_size, spec.crop_size))
    assert logits.shape == (1, 7)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'slowfsat'.*slowfast_compact"):
        build_architecture("slowfsat", 3)
