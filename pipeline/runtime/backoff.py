"""Exponential backoff with jitter, for reconnects and retries."""

from __future__ import annotations

import random


def next_pause_s(last_s: float, *, first_s: float, longest_s: float) -> float:
    """Double the last pause within limits and shorten it by up to 30 % at random.

    The jitter prevents clients that lost the same server from reconnecting simultaneously.

    Args:
        last_s: the last returned pause, seconds; 0 for the first time.
        first_s: smallest pause before the jitter, seconds.
        longest_s: largest pause, seconds.

    Returns:
        Seconds to wait before the next attempt.
    """
    return min(longest_s, max(first_s, 2 * last_s)) * random.uniform(0.7, 1.0)  # noqa: S311
