"""A bounded queue between two threads that can be drained or cancelled."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class ChannelCancelled(Exception):  # noqa: N818 - a request to stop, not an error
    """The run is being torn down: stop producing."""


class Channel(Generic[T]):
    """Bounded queue that ends in two ways: `finish` (drain, then stop) and `cancel` (stop now).

    `put` waits while the channel is full, so nothing is lost. One producer and one consumer.

    Args:
        capacity: items it holds before `put` waits, at least 1; None: unbounded.
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
            ChannelCancelled: if the channel is cancelled, before or while waiting.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._cancelled or not self._is_full())
            if self._cancelled:
                raise ChannelCancelled
            self._items.append(item)
            self._changed.notify_all()

    def finish(self) -> None:
        """Declare that no more items follow; the consumer ends when the queue is empty."""
        with self._changed:
            self._finished = True
            self._changed.notify_all()

    def cancel(self) -> None:
        """Drop all items and wake both sides."""
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
        """Yield lists of 1 to `max_size` queued items, waiting only for the first of each."""
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
