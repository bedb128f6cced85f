"""Confidence intervals: what the numbers would be if other groups had been recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from training.metrics.clip_metrics import Values, Weights

RESAMPLES = 1000
LEVEL = 0.95
AT_ONCE = 100  # resamples per array, so that memory stays small


@dataclass(frozen=True, slots=True)
class Interval:
    """Where a value lies with the probability `LEVEL`."""

    low: float
    high: float


def group_weights(
    groups: Sequence[str], *, seed: int, resamples: int = RESAMPLES
) -> Iterator[Weights]:
    """Draw as many groups with replacement and count how often each clip occurs.

    Whole groups are drawn, because clips of one recording are alike: drawing single clips would
    give intervals that are too narrow.

    Args:
        groups: of the N clips.
        seed: of the draw.
        resamples: number of draws.

    Yields:
        float (R, N), at most `AT_ONCE` draws each.
    """
    rng = np.random.default_rng(seed)
    names, of_clip = np.unique(np.array(groups), return_inverse=True)
    probability = np.full(len(names), 1 / len(names))
    for first in range(0, resamples, AT_ONCE):
        draws = rng.multinomial(len(names), probability, size=min(AT_ONCE, resamples - first))
        yield draws[:, of_clip].astype(np.float64)


def interval(
    measure: Callable[[Weights], Values],
    groups: Sequence[str],
    *,
    seed: int,
    resamples: int = RESAMPLES,
) -> Interval | None:
    """Compute the percentile bootstrap interval of a measure (Efron 1979).

    Args:
        measure: from weights float (R, N) to values float (R,).
        groups: of the N clips.
        seed: of the draw; the same for all measures that are compared.
        resamples: number of draws.

    Returns:
        None if there are fewer than two groups, or if the measure has no value in any draw.
    """
    if len(set(groups)) < 2:
        return None
    draws = group_weights(groups, seed=seed, resamples=resamples)
    values = np.concatenate([measure(weights) for weights in draws])
    values = values[~np.isnan(values)]
    if not len(values):
        return None
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high))
