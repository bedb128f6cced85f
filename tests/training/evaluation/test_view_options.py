"""The views that papers average, and how many crops there can be."""

from __future__ import annotations

import pytest

from training.evaluation.view_options import WholeFrameViews


def test_the_defaults_are_ten_clips_of_three_crops_of_256_pixels() -> None:
    assert WholeFrameViews() == WholeFrameViews(clips=10, crops=3, side=256)


def test_two_crops_are_an_error_that_says_what_can_be_given() -> None:
    with pytest.raises(ValueError, match="crops 2: give 1, the middle, or 3"):
        WholeFrameViews(crops=2)
