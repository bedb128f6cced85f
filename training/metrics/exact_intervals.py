"""Exact confidence intervals of counts: of a fraction of clips, of a rate of events per hour."""

from __future__ import annotations

from scipy.special import betaincinv, gammaincinv

from training.metrics.resampling import LEVEL, Interval

TAIL = (1 - LEVEL) / 2


def fraction_interval(count: int, total: int) -> Interval | None:
    """Compute the interval of a fraction (Clopper and Pearson 1934, Biometrika 26).

    The clips must be independent of each other: cuts of one recording are not, and then the
    interval is too narrow.

    Args:
        count: of the clips that have the property.
        total: number of clips.

    Returns:
        None without clips.
    """
    if not total:
        return None
    low = betaincinv(count, total - count + 1, TAIL) if count else 0.0
    high = betaincinv(count + 1, total - count, 1 - TAIL) if count < total else 1.0
    return Interval(float(low), float(high))


def rate_interval(count: int, hours: float) -> Interval | None:
    """Compute the interval of a Poisson rate per hour (Garwood 1936, Biometrika 28).

    Args:
        count: of events.
        hours: in which they were counted.

    Returns:
        None without time.
    """
    if not hours:
        return None
    low = gammaincinv(count, TAIL) if count else 0.0
    return Interval(float(low / hours), float(gammaincinv(count + 1, 1 - TAIL) / hours))
