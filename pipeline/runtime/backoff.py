"""How long to leave somebody alone who does not answer."""

from __future__ import annotations

import random


def next_pause_s(last_s: float, *, first_s: float, longest_s: float) -> float:
    """Twice the last pause within limits, shortened by up to 30 % at random.

    The random part keeps many who lost the same server from coming back in step.

    Args:
        last_s: what this function returned last, 0 for the first time.
        first_s: the first pause, seconds.
        longest_s: no pause is longer.
    """
    return min(longest_s, max(first_s, 2 * last_s)) * random.uniform(0.7, 1.0)  # noqa: S311
