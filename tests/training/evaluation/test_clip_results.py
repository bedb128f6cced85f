"""The results of labelled clips."""

from __future__ import annotations

import math

import numpy as np
import pytest

from training.evaluation.clip_results import (
    GroupResult,
    group_spread,
    known,
    mean_scores,
    most_typical,
)

VIEWS = np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]], np.float32)


def test_views_are_averaged_and_the_best_of_the_answer_is_shown() -> None:
    np.testing.assert_allclose(mean_scores(VIEWS), [1.4 / 3, 1.6 / 3], rtol=1e-6)
    assert most_typical(VIEWS) == 1


def test_the_spread_of_groups_has_extremes_quartiles_and_deviation() -> None:
    spread = group_spread([GroupResult(str(n), 1, value) for n, value in enumerate((0, 0.5, 1))])
    assert (spread.groups, spread.lowest, spread.median, spread.highest) == (3, 0, 0.5, 1)
    assert (spread.lower_quartile, spread.upper_quartile) == (0.25, 0.75)
    assert spread.standard_deviation == pytest.approx(math.sqrt(1 / 6))


def test_nan_is_none() -> None:
    assert known(math.nan) is None
    assert known(0.25) == 0.25
