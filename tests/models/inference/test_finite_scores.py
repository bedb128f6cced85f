"""Scores that leave the range of half precision are computed in float32, once decided for good."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from models.boxes import FloatArray
from models.inference.finite_scores import FiniteScores

GOOD = np.array([[0.25, 0.75]], np.float32)
BAD = np.array([[np.nan, 0.75]], np.float32)


class Network:
    """Gives the next of its scores, and counts the calls."""

    def __init__(self, *scores: FloatArray) -> None:
        self.scores, self.calls = scores, 0

    def __call__(self, clip: FloatArray) -> FloatArray:
        self.calls += 1
        return self.scores[min(self.calls, len(self.scores)) - 1]


def test_the_wider_precision_is_used_from_the_first_bad_scores_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    half, wide, built = Network(GOOD, BAD), Network(GOOD), []
    scores = FiniteScores(half, "float16", lambda: built.append(1) or wide)  # type: ignore[func-returns-value]
    clip = np.zeros((1, 2), np.float32)
    for _ in range(4):
        assert np.array_equal(scores(clip), GOOD)
    assert (half.calls, wide.calls, built) == (2, 3, [1])
    assert scores.precision == "float32"
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "scores in float16 are not finite" in caplog.text


def test_what_float32_cannot_score_is_returned_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    wide = Network(BAD)
    scores = FiniteScores(Network(BAD), "bfloat16", lambda: wide)
    clip = np.zeros((1, 2), np.float32)
    for _ in range(3):
        assert np.array_equal(scores(clip), BAD, equal_nan=True)
    assert wide.calls == 3
    assert len(caplog.records) == 1


def test_float32_has_nothing_to_fall_back_to() -> None:
    def never() -> Network:
        raise AssertionError("it is the widest")

    scores = FiniteScores(Network(BAD), "float32", never)
    assert np.isnan(scores(np.zeros((1, 2), np.float32))).any()


@pytest.fixture(autouse=True)
def _warnings_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
