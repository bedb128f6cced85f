"""Exact intervals against values of printed tables and against the definitions."""

from __future__ import annotations

import pytest
from scipy.special import bdtr, pdtr

from training.metrics.exact_intervals import fraction_interval, rate_interval


def test_poisson_limits_are_those_of_the_printed_tables() -> None:
    # Garwood 1936, 95 %: nothing seen 0 to 3.69, ten seen 4.80 to 18.39.
    for count, low, high in ((0, 0.0, 3.689), (1, 0.0253, 5.572), (10, 4.795, 18.39)):
        found = rate_interval(count, hours=1.0)
        assert found is not None
        assert (found.low, found.high) == pytest.approx((low, high), rel=1e-3)


def test_a_rate_is_per_hour() -> None:
    found = rate_interval(0, hours=0.5)
    assert found is not None
    assert found.high == pytest.approx(2 * 3.689, rel=1e-3)
    assert rate_interval(0, hours=0.0) is None


def test_clopper_and_pearsons_limits_leave_the_tails_of_the_binomial() -> None:
    for count, total in ((12, 28), (1, 5), (9, 28)):
        found = fraction_interval(count, total)
        assert found is not None
        assert bdtr(count - 1, total, found.low) == pytest.approx(0.975)
        assert bdtr(count, total, found.high) == pytest.approx(0.025)


def test_a_poisson_interval_leaves_the_tails_of_the_distribution() -> None:
    found = rate_interval(7, hours=2.0)
    assert found is not None
    assert pdtr(6, 2 * found.low) == pytest.approx(0.975)
    assert pdtr(7, 2 * found.high) == pytest.approx(0.025)


def test_none_and_all_have_an_end_at_the_border() -> None:
    none, every = fraction_interval(0, 28), fraction_interval(28, 28)
    assert none is not None
    assert every is not None
    assert (none.low, every.high) == (0.0, 1.0)
    assert none.high == pytest.approx(1 - 0.025 ** (1 / 28))
    assert fraction_interval(0, 0) is None
