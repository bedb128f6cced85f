"""Augmented images that the detector is trained on."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from training.detector.augmentation import (
    FILLING,
    degrade,
    make_view,
    mosaic,
    place,
    recolour,
)

Image = NDArray[np.uint8]


def some_image(rng: np.random.Generator) -> Image:
    """An image of one colour, small or large, wide or high."""
    height, width = rng.integers(40, 400, 2)
    return np.full((height, width, 3), rng.integers(256, size=3), np.uint8)


def white(rng: np.random.Generator) -> Image:
    return np.full((300, 400, 3), 255, np.uint8)


@pytest.mark.parametrize("seed", range(25))
def test_a_view_has_its_shape_whatever_is_drawn(seed: int) -> None:
    view = make_view(some_image, np.random.default_rng(seed), size=96, shown_at=128)
    assert (view.shape, view.dtype) == ((96, 96, 3), np.uint8)


def test_the_same_seed_gives_the_same_view() -> None:
    one, two, other = (
        make_view(some_image, np.random.default_rng(seed), size=96, shown_at=128)
        for seed in (3, 3, 4)
    )
    assert (one == two).all()
    assert (one != other).any()


def test_an_image_is_shown_near_the_size_at_which_the_detector_shows_it() -> None:
    rng = np.random.default_rng(0)
    areas = []
    for _ in range(200):
        canvas = place(white(rng), rng, (600, 600), shown_at=100)
        areas.append((canvas > FILLING + 50).all(axis=2).sum())
    zooms = np.sqrt(np.array(areas) / (100 * 75))
    assert 0.2 < zooms.min() < 0.5  # some of them lie partly outside
    assert 1.4 < zooms.max() < 1.9


def test_images_are_mirrored_half_of_the_time() -> None:
    half_white = np.zeros((100, 100, 3), np.uint8)
    half_white[:, :50] = 255
    rng = np.random.default_rng(0)
    mirrored = 0
    for _ in range(100):
        canvas = place(half_white, rng, (300, 300), shown_at=100).astype(int)
        columns = np.arange(300)
        left = (canvas[..., 0] > 200).sum(axis=0) @ columns / (canvas[..., 0] > 200).sum()
        right = (canvas[..., 0] < 50).sum(axis=0) @ columns / (canvas[..., 0] < 50).sum()
        mirrored += left > right
    assert 35 < mirrored < 65


def test_a_mosaic_shows_up_to_four_images() -> None:
    levels = iter([10, 60, 180, 240] * 50)
    view = mosaic(
        lambda rng: np.full((400, 400, 3), next(levels), np.uint8),
        np.random.default_rng(0),
        size=200,
        shown_at=400,
    )
    assert {10, 60, 180, 240} <= set(np.unique(view))


def test_recolouring_keeps_the_shape_and_some_images_become_grey() -> None:
    coloured = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    greys = 0
    for seed in range(100):
        view = recolour(coloured, np.random.default_rng(seed))
        assert (view.shape, view.dtype) == (coloured.shape, np.uint8)
        # A tint may lie over the grey: the channels then still rise and fall together.
        channels = view.reshape(-1, 3).astype(int)
        order = np.argsort(channels[:, 0], kind="stable")
        greys += (np.diff(channels[order, 1]) >= 0).mean() > 0.99
    assert 3 < greys < 30


def test_degrading_leaves_most_images_unchanged_and_spoils_the_others() -> None:
    sharp = np.random.default_rng(0).integers(0, 256, (96, 96, 3), np.uint8)
    same = [(degrade(sharp, np.random.default_rng(s)) == sharp).all() for s in range(100)]
    assert 40 < sum(same) < 80
