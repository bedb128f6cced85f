"""Events in memory while the disk takes none."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable

from pipeline.delivery.storage.outbox_file import StoredEvent

_OVERHEAD = 400  # bytes of an event beside its text, roughly
_KEEP = 0.95  # of the limit, when events are dropped


class MemoryRows:
    """A bounded queue of events, in order of delivery; not safe for several threads.

    Args:
        max_bytes: limit of what they take.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._rows: list[StoredEvent] = []
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def first_id(self) -> int | None:
        """Return the id of the oldest row; None if there is none."""
        return self._rows[0].id if self._rows else None

    def rows(self) -> tuple[StoredEvent, ...]:
        """Return all of them."""
        return tuple(self._rows)

    def add(self, rows: Iterable[StoredEvent]) -> None:
        """Append events; see `make_room`."""
        rows = list(rows)
        self._rows += rows
        self._bytes += sum(map(_size, rows))

    def after(self, row_id: int, limit: int) -> list[StoredEvent]:
        """Return up to `limit` events behind a row."""
        first = bisect_right(self._rows, row_id, key=lambda row: row.id)
        return self._rows[first : first + limit]

    def next_of(self, origin: str, seq: int) -> StoredEvent | None:
        """Return the first event of one camera and run behind a sequence number."""
        found = (row for row in self._rows if row.origin == origin and row.seq > seq)
        return next(found, None)

    def forget(self, row_id: int) -> None:
        """Delete the events up to a row."""
        self._keep(lambda row: row.id > row_id)

    def make_room(self, delivered_id: int) -> tuple[int, str]:
        """Drop what exceeds the limit: delivered events, else the oldest updates, else the oldest.

        Returns:
            How many undelivered events were dropped, and what they were.
        """
        if self._bytes > self._max_bytes:
            self._keep(lambda row: row.id > delivered_id)
        if self._bytes <= self._max_bytes:
            return 0, ""
        updates = [row for row in self._rows if row.is_update]
        what, candidates = ("updates", updates) if updates else ("events of any kind", self._rows)
        surplus, dropped = self._bytes - _KEEP * self._max_bytes, set[int]()
        for row in candidates:
            if surplus <= 0:
                break
            surplus -= _size(row)
            dropped.add(row.id)
        self._keep(lambda row: row.id not in dropped)
        return len(dropped), what

    def clear(self) -> None:
        """Drop all of them."""
        self._keep(lambda row: False)

    def _keep(self, is_kept: Callable[[StoredEvent], bool]) -> None:
        self._rows = [row for row in self._rows if is_kept(row)]
        self._bytes = sum(map(_size, self._rows))


def _size(row: StoredEvent) -> int:
    return len(row.text) + _OVERHEAD
