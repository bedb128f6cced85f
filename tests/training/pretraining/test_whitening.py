"""Targets of the same importance."""

from __future__ import annotations

import numpy as np

from training.pretraining.whitening import Whitening


def test_directions_of_large_variance_do_not_drown_the_others() -> None:
    rng = np.random.default_rng(0)
    features = (rng.normal(size=(200, 3)) * [100.0, 10.0, 1.0] + 5).astype(np.float32)
    targets = Whitening.fit(features, 3)(features)
    np.testing.assert_allclose(targets.mean(axis=0), 0, atol=1e-3)
    assert targets.std(axis=0).max() / targets.std(axis=0).min() < 6  # of 100
    assert np.abs(np.corrcoef(targets.T) - np.eye(3)).max() < 0.01


def test_there_are_no_more_directions_than_clips_can_tell() -> None:
    features = np.random.default_rng(0).normal(size=(4, 50)).astype(np.float32)
    assert Whitening.fit(features, 64)(features).shape == (4, 3)


def test_equal_features_give_finite_targets() -> None:
    features = np.ones((5, 8), np.float32)
    assert np.isfinite(Whitening.fit(features, 4)(features)).all()
