"""Confidence intervals by drawing whole groups."""

from __future__ import annotations

import numpy as np
import pytest

from training.metrics.clip_metrics import Weights
from training.metrics.resampling import group_weights, interval


def test_clips_of_a_group_are_drawn_together() -> None:
    for weights in group_weights(("a", "b", "a", "c"), seed=0, resamples=150):
        assert (weights[:, 0] == weights[:, 2]).all()
        assert (weights[:, [0, 1, 3]].sum(axis=1) == 3).all()


def test_the_interval_of_a_mean_is_that_of_its_standard_error() -> None:
    values = np.random.default_rng(2).normal(10, 2, 400)

    def mean(weights: Weights) -> np.ndarray:
        return weights @ values / weights.sum(axis=1)

    found = interval(mean, [str(n) for n in range(400)], seed=1, resamples=2000)
    assert found is not None
    expected = 1.96 * values.std() / np.sqrt(400)
    assert found.low == pytest.approx(values.mean() - expected, abs=0.03)
    assert found.high == pytest.approx(values.mean() + expected, abs=0.03)


def test_clips_that_are_alike_give_a_wider_interval_in_groups_than_alone() -> None:
    values = np.repeat(np.random.default_rng(4).normal(size=20), 10)

    def mean(weights: Weights) -> np.ndarray:
        return weights @ values / weights.sum(axis=1)

    alone = interval(mean, [str(n) for n in range(200)], seed=0)
    grouped = interval(mean, [str(n // 10) for n in range(200)], seed=0)
    assert alone is not None
    assert grouped is not None
    assert grouped.high - grouped.low > 2 * (alone.high - alone.low)


def test_the_same_seed_gives_the_same_interval() -> None:
    groups = tuple("abcdef")

    def measure(weights: Weights) -> np.ndarray:
        return weights[:, 0] / weights.sum(axis=1)

    assert interval(measure, groups, seed=7) == interval(measure, groups, seed=7)


def test_one_group_has_no_interval() -> None:
    assert interval(lambda weights: weights[:, 0], ("a", "a"), seed=0) is None
    assert interval(lambda weights: weights[:, 0] * np.nan, ("a", "b"), seed=0) is None
