"""Put packets, which come in the order of decoding, into the order of presentation."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")

_MOST_REORDERED = 17  # packets: H.264 and H.265 hold at most 16 frames
_CLOCK_RESTARTS_S = 10.0  # a stamp so far behind the newest one is of another clock


def in_order_of_time(stamped: Iterable[tuple[float, Item]]) -> Iterator[tuple[float, Item]]:
    """Yield items in the order of their stamps, as far as a decoder would reorder them.

    Where the clock starts again, what is before it comes first.

    Args:
        stamped: items in the order of decoding, with their stamps in seconds.
    """
    waiting: list[tuple[float, int, Item]] = []
    newest_s = float("-inf")
    for number, (stamp_s, item) in enumerate(stamped):
        if stamp_s < newest_s - _CLOCK_RESTARTS_S:
            while waiting:
                yield _without_number(heapq.heappop(waiting))
            newest_s = stamp_s
        newest_s = max(newest_s, stamp_s)
        heapq.heappush(waiting, (stamp_s, number, item))
        if len(waiting) > _MOST_REORDERED:
            yield _without_number(heapq.heappop(waiting))
    while waiting:
        yield _without_number(heapq.heappop(waiting))


def _without_number(entry: tuple[float, int, Item]) -> tuple[float, Item]:
    return entry[0], entry[2]
