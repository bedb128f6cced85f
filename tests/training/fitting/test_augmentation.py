"""Views of a clip."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.stages.clip_sampling import crop_person
from training.crops.clip_choice import centre
from training.crops.crop_cache import CutSpec
from training.fitting.augmentation import ViewSpec, augment

SPEC = CutSpec(fps=10.0, crop_size=112, crop_margin=0.25, span_s=2.0, min_track_fraction=0.6)
CROP_SIZE, CROP_MARGIN = SPEC.crop_size, SPEC.crop_margin
CACHE_SIZE, CACHE_MARGIN = SPEC.cache_size, SPEC.cache_margin
DIFFERENT = ViewSpec(
    scale=0.2,
    shift=0.08,
    jitter=0.008,
    cut_prob=0.5,
    max_cut=0.3,
    blur_prob=0.3,
    grey_prob=0.15,
    colour=1.0,
    infrared_prob=0.3,
    cutout_prob=0.3,
    mix_prob=0.3,
)


def made_crops() -> NDArray[np.uint8]:
    crops = np.random.default_rng(0).integers(0, 256, (4, 18, 18, 3), dtype=np.uint8)
    return np.stack([cv2.resize(crop, (CACHE_SIZE, CACHE_SIZE)) for crop in crops])


def test_the_centre_is_what_the_pipeline_crops() -> None:
    coarse = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    image = np.asarray(cv2.resize(coarse, (1200, 800)), np.uint8)
    box = np.array([500, 250, 600, 550], np.float32)
    cached = crop_person(image, box, size=CACHE_SIZE, margin=CACHE_MARGIN)
    live = crop_person(image, box, size=CROP_SIZE, margin=CROP_MARGIN)
    difference = np.abs(centre(cached[None], CROP_SIZE)[0].astype(int) - live.astype(int))
    assert difference.mean() < 4
    shifted = np.roll(live, 1, axis=1).astype(int)
    assert difference.mean() < 0.5 * np.abs(centre(cached[None], CROP_SIZE)[0] - shifted).mean()


def test_a_view_has_the_network_s_size_and_leaves_the_clip_alone() -> None:
    crops = made_crops()
    before = crops.copy()
    for seed in range(10):
        rng = np.random.default_rng(seed)
        view = augment(crops, CROP_SIZE, DIFFERENT, rng, mirrored=False, behind=crops[:1])
        assert view.shape == (4, CROP_SIZE, CROP_SIZE, 3)
        assert view.dtype == np.uint8
    np.testing.assert_array_equal(crops, before)


def test_the_same_seed_gives_the_same_view_and_another_seed_another() -> None:
    crops = made_crops()
    first, again, other = (
        augment(crops, CROP_SIZE, DIFFERENT, np.random.default_rng(seed), mirrored=False)
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first.astype(int) - other).mean() > 1


def test_all_frames_of_a_clip_are_seen_alike() -> None:
    still = np.repeat(made_crops()[:1], 6, axis=0)
    for seed in range(5):
        rng = np.random.default_rng(seed)
        view = augment(still, CROP_SIZE, DIFFERENT, rng, mirrored=False).astype(int)
        assert np.abs(np.diff(view, axis=0)).mean() < 12  # trembling only


def test_with_everything_switched_off_the_view_is_that_of_the_pipeline() -> None:
    crops = made_crops()
    view = augment(crops, CROP_SIZE, ViewSpec(), np.random.default_rng(0), mirrored=False)
    np.testing.assert_array_equal(view, centre(crops, CROP_SIZE))


def test_a_mirrored_view_is_the_mirror_of_the_other() -> None:
    crops = made_crops()
    plain, mirrored = (
        augment(crops, CROP_SIZE, ViewSpec(), np.random.default_rng(0), mirrored=mirrored)
        for mirrored in (False, True)
    )
    np.testing.assert_array_equal(mirrored, plain[:, :, ::-1])


def augmented(spec: ViewSpec, behind: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
    still = np.repeat(made_crops()[:1], 4, axis=0)
    return augment(still, CROP_SIZE, spec, np.random.default_rng(0), mirrored=False, behind=behind)


def test_an_infrared_view_has_no_colour_and_grain_that_moves() -> None:
    view = augmented(ViewSpec(infrared_prob=1.0))
    np.testing.assert_array_equal(view[..., 0], view[..., 2])
    assert 0.5 < np.abs(np.diff(view.astype(int), axis=0)).mean() < 20


def test_a_cutout_hides_one_rectangle_in_all_frames() -> None:
    plain, view = augmented(ViewSpec()), augmented(ViewSpec(cutout_prob=1.0))
    hidden = (plain != view).any(axis=(0, 3))
    rows, columns = np.flatnonzero(hidden.any(axis=1)), np.flatnonzero(hidden.any(axis=0))
    assert 0.08 < len(rows) / CROP_SIZE < 0.36
    assert 0.08 < len(columns) / CROP_SIZE < 0.36
    inside = view[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    assert (inside == inside[0, 0, 0]).all()


def test_another_clip_shows_through_faintly_and_only_if_there_is_one() -> None:
    white = np.full((1, CACHE_SIZE, CACHE_SIZE, 3), 255, np.uint8)
    plain, view = augmented(ViewSpec()), augmented(ViewSpec(mix_prob=1.0), white)
    share = (view.astype(float) - plain).mean() / (255.0 - plain).mean()
    assert 0.08 < share < 0.37
    np.testing.assert_array_equal(plain, augmented(ViewSpec(mix_prob=1.0)))
