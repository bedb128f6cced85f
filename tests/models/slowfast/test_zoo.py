"""The networks by name: parameter counts, keys, inputs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from models.checkpoints.naming_schemes import MMACTION2
from models.slowfast.architecture import Architecture
from models.slowfast.recognizer3d import Recognizer3D
from models.slowfast.zoo import ARCHITECTURES, slowfast_compact
from tests.models.slowfast_fixtures import fixture_folder

PUBLISHED = ["slowfast_r50_4x16", "slowfast_r50_8x8", "slowfast_r101_8x8", "slowfast_r101_r50_4x16"]


def described(name: str, num_classes: int) -> Recognizer3D:
    """Shapes without memory for the numbers."""
    with torch.device("meta"):
        return ARCHITECTURES[name](num_classes)


@pytest.mark.parametrize(
    ("name", "count"),
    list(zip(PUBLISHED, (34_479_288, 34_565_560, 62_912_312, 62_384_312), strict=True)),
)
def test_parameter_counts_are_the_published_ones(name: str, count: int) -> None:
    assert sum(p.numel() for p in described(name, 400).parameters()) == count


@pytest.mark.parametrize("name", PUBLISHED)
def test_keys_and_shapes_are_those_of_mmaction2(name: str, shared_data: Path) -> None:
    keys = fixture_folder(shared_data) / "keys" / f"mmaction2_{name}x1.json"
    expected = {key: tuple(shape) for key, (shape, _) in json.loads(keys.read_text()).items()}
    state = described(name, 400).state_dict()
    found = {MMACTION2.name(key, roi=False): tuple(value.shape) for key, value in state.items()}
    assert found == expected


def test_compact_fits_into_15_megabytes_of_float16() -> None:
    assert 2 * sum(p.numel() for p in slowfast_compact(10).parameters()) < 15e6


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_network_takes_the_clips_that_it_asks_for(name: str) -> None:
    recognizer = described(name, 7).eval()
    spec = recognizer.input_spec
    clip = torch.zeros(1, 3, spec.clip_len, spec.crop_size, spec.crop_size, device="meta")
    slow, *fast = recognizer.select_pathways(clip)
    assert slow.shape[2] * spec.alpha == spec.clip_len
    features = recognizer.backbone(slow, *fast)
    assert [x.shape[1] for x in features] == list(recognizer.backbone.out_channels)
    assert spec.name == name


def test_json_brings_back_the_same_architecture() -> None:
    uneven = Architecture(slow_depth=101, slow_inflate=(0, 0, (1,) * 6 + (0,) * 17, 1), head="roi")
    assert Architecture.from_json(uneven.to_json()) == uneven
    assert Architecture.from_json("{}") == Architecture()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "must be a JSON object"),
        ('{"slow_deph": 50}', "no fields .*slow_deph"),
        ('{"alpha": 0}', "alpha must be above 0"),
        ('{"fast_depth": null}', "alpha is 1 without a fast pathway, not 8"),
        ('{"beta_inv": 5}', "beta_inv 5 does not divide base_channels 64"),
        ('{"resample_rate": 12}', "alpha 8 does not divide resample_rate 12"),
        ('{"head": "box"}', "head must be one of"),
    ],
)
def test_an_architecture_that_cannot_be_is_explained(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Architecture.from_json(text)
