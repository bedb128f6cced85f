"""A table with one record of numbers per person, for what is known of many people together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


class PersonTable:
    """Records by stable track id; the place of a person who has gone is used again.

    Args:
        blank: structured (1,) array: the record of a new person.
    """

    def __init__(self, blank: NDArray[Any]) -> None:
        self._blank = blank
        self._rows: dict[int, int] = {}
        self._free: list[int] = []
        self.records: NDArray[Any] = blank[:0].copy()  # (R,), by row

    def rows_of(self, track_ids: Sequence[int]) -> list[int]:
        """Return the row of each person's record; a new person gets a blank one."""
        for track_id in track_ids:
            if track_id not in self._rows:
                self._rows[track_id] = self._add()
        return [self._rows[track_id] for track_id in track_ids]

    def pop(self, track_id: int) -> Any | None:
        """Remove a person and return the record; None for a person who is not known."""
        row = self._rows.pop(track_id, None)
        if row is None:
            return None
        self._free.append(row)
        return self.records[row].copy()

    def take_over(self, other: PersonTable, columns: Sequence[tuple[int, int]]) -> None:
        """Know the people of another table, and what it knows of them in some columns.

        Args:
            other: with the same fields, each of shape (R, columns, ...).
            columns: pairs of a column of this table and the same thing's column of the other.
        """
        track_ids = list(other._rows)
        rows, theirs = self.rows_of(track_ids), other.rows_of(track_ids)
        for name in self.records.dtype.names or ():
            for mine, column in columns:
                self.records[name][rows, mine] = other.records[name][theirs, column]

    def clear(self) -> None:
        """Remove everyone."""
        self._rows.clear()
        self._free.clear()
        self.records = self._blank[:0].copy()

    def _add(self) -> int:
        if not self._free:
            count = len(self.records)
            self.records = np.concatenate([self.records, np.repeat(self._blank, max(8, count))])
            self._free = list(reversed(range(count, len(self.records))))
        row = self._free.pop()
        self.records[row] = self._blank[0]
        return row
