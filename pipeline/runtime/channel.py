"""A bounded hand-over of items from one thread to another."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class ChannelCancelled(Exception):  # noqa: N818 - a request to stop, not an error
    """The run is being torn down: stop producing."""


class Channel(Generic[T]):
    """Bounded queue with two ends of life: `finish` (drain, then stop) and `cancel` (stop now).

    A full channel makes `put` wait, so nothing is lost. One consumer and one producer each.

    Args:
        capacity: items it holds before `put` waits, at least 1; None: it never waits.
    """

    def __init__(self, capacity: int | None) -> None:
        if capacity is not None and capacity < 1:
            raise ValueError(f"a channel needs room for at least one item, got {capacity}")
        self._capacity = capacity
        self._items: deque[T] = deque()
        self._finished = False
        self._cancelled = False
        self._changed = threading.Condition()

    def put(self, item: T) -> None:
        """Append an item, waiting while the channel is full.

        Raises:
            ChannelCancelled: if the channel was or is cancelled meanwhile.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._cancelled or not self._is_full())
            if self._cancelled:
                raise ChannelCancelled
            self._items.append(item)
            self._changed.notify_all()

    def finish(self) -> None:
        """No more items come; the consumer ends when it has taken what is there."""
        with self._changed:
            self._finished = True
            self._changed.notify_all()

    def cancel(self) -> None:
        """Drop everything and wake both sides."""
        with self._changed:
            self._cancelled = True
            self._items.clear()
            self._changed.notify_all()

    def __len__(self) -> int:
        with self._changed:
            return len(self._items)

    def __iter__(self) -> Iterator[T]:
        for batch in self.batches(max_size=1):
            yield from batch

    def batches(self, max_size: int) -> Iterator[list[T]]:
        """Yield lists of 1..max_size items: whatever is there, waiting only for the first."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._items or self._is_over())
                if not self._items:
                    return
                batch = [self._items.popleft() for _ in range(min(max_size, len(self._items)))]
                self._changed.notify_all()
            yield batch

    def _is_full(self) -> bool:
        return self._capacity is not None and len(self._items) >= self._capacity

    def _is_over(self) -> bool:
        return self._cancelled or self._finished
