"""Exponential backoff with jitter, for reconnects and retries."""

from __future__ import annotations

import random
from collections.abc import Callable


def next_pause_s(
    last_s: float,
    *,
    first_s: float,
    longest_s: float,
    uniform: Callable[[float, float], float] | None = None,
) -> float:
    """Double the last pause within limits, shortened by up to 30 % at random.

    The jitter prevents clients that lost the same server from reconnecting simultaneously.

    Args:
        last_s: what this function returned last, seconds; 0 for the first time.
        first_s: the first pause, seconds.
        longest_s: upper limit of a pause, seconds.
        uniform: draws a number between two bounds; None: `random.uniform`.

    Returns:
        The pause, seconds.
    """
    draw = uniform or random.uniform
    return min(longest_s, max(first_s, 2 * last_s)) * draw(0.7, 1.0)
