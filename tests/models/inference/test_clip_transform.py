"""The one colour conversion and the one normalization."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from models.inference.clip_transform import ClipTransform
from models.slowfast.zoo import slowfast_compact

SPEC = replace(slowfast_compact(2).input_spec, mean=(10.0, 20.0, 30.0), std=(1.0, 2.0, 4.0))


def test_blue_comes_last_and_is_normalized_as_blue() -> None:
    crops = torch.zeros(1, 2, 4, 4, 3, dtype=torch.uint8)
    crops[..., 0] = 250  # blue, as OpenCV orders colours
    clip = ClipTransform(SPEC)(crops)
    assert clip.shape == (1, 3, 2, 4, 4)
    assert clip.dtype == torch.float32
    assert clip[0, :, 0, 0, 0].tolist() == [-10.0, -10.0, (250 - 30) / 4]


def test_a_network_that_wants_blue_first_gets_it() -> None:
    crops = torch.zeros(1, 2, 4, 4, 3, dtype=torch.uint8)
    crops[..., 0] = 250
    clip = ClipTransform(replace(SPEC, colour_order="bgr"))(crops)
    assert clip[0, :, 0, 0, 0].tolist() == [250 - 10.0, -10.0, -30 / 4]


def test_time_and_place_stay_where_they_are() -> None:
    crops = np.random.default_rng(0).integers(0, 256, (2, 3, 4, 5, 3), dtype=np.uint8)
    clip = ClipTransform(SPEC)(torch.from_numpy(crops)).numpy()
    assert clip[1, 0, 2, 3, 4] == pytest.approx(crops[1, 2, 3, 4, 2] - 10.0)


def test_the_result_is_channels_last() -> None:
    clip = ClipTransform(SPEC)(torch.zeros(2, 4, 8, 8, 3, dtype=torch.uint8))
    assert clip.is_contiguous(memory_format=torch.channels_last_3d)


def test_crops_are_not_changed() -> None:
    crops = torch.full((1, 2, 4, 4, 3), 7, dtype=torch.uint8)
    ClipTransform(SPEC)(crops)
    assert torch.equal(crops, torch.full_like(crops, 7))


@pytest.mark.parametrize(
    "crops", [torch.zeros(1, 2, 4, 4, 3), torch.zeros(2, 4, 4, 3, dtype=torch.uint8)]
)
def test_other_types_and_shapes_are_refused(crops: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="crops must be uint8"):
        ClipTransform(SPEC)(crops)
