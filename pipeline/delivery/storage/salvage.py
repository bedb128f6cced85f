"""Move a damaged outbox aside and begin a new one with what is whole in it."""

from __future__ import annotations

import logging
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from pipeline.delivery.storage.interrupted import text_if_open
from pipeline.delivery.storage.outbox_file import (
    OutboxFile,
    StoredEvent,
    connect,
    explained,
    files_of,
    stored_event,
)
from pipeline.delivery.storage.outbox_migration import CHECKED, checksum
from pipeline.delivery.storage.quarantine import set_aside
from pipeline.delivery.storage.wal_log import resigned
from pipeline.errors import OutboxError
from pipeline.events import EventError, decode_event
from pipeline.runtime.private_files import create_private_file, open_private

_EVENTS = "SELECT id, origin, prev, seq, text, kept_since, is_update, {} FROM events"
_TYPES = {"origins": (str, int), "unfinished": (str, str), "target": (str,)}
_LONGEST_LEAP = 2**20  # row numbers that are skipped at once behind an unreadable page
_LAST_ID = 2**63 - 1
_ATTEMPTS = 10_000
_BATCH = 1000  # events of a transaction

log = logging.getLogger(__name__)


def salvage(path: Path, error: OutboxError, target: str = "") -> bool:
    """Replace a damaged outbox by one with its whole events.

    The damaged files stay as `NAME.damaged`, which the sqlite3 program may read parts of; records
    that do not match their checksum are set aside. Nobody else may have the outbox open.

    Args:
        path: of the outbox.
        error: why it is damaged.
        target: where it is for, if it cannot be read from it.

    Returns:
        False if nothing could be read; there is no outbox at `path` then.

    Raises:
        OutboxError: if the disk does not take the new one.
    """
    aside = _move_aside(path)
    # An empty file is not opened: SQLite would delete the log beside it.
    count = _take_over(aside, path, target) if aside.stat().st_size else 0
    log.error(
        "%s is damaged (%s): %d of its events are whole and will be delivered; it is kept as %s",
        path,
        error,
        count,
        aside.name,
    )
    return path.exists()


def _take_over(aside: Path, path: Path, target: str) -> int:
    """Make an outbox of what is whole in a damaged one; returns the number of events."""
    count = 0
    # What SQLite raises depends on the bytes that it meets.
    with suppress(sqlite3.Error), closing(connect(aside)) as connection:
        has_sums = _has_checksums(connection)
        small = {
            name: list(_small_table(connection, name, path, has_sums=has_sums))
            for name in ("origins", "unfinished", "target")
        }
        found = next((name for (name,) in small["target"]), target)
        with closing(OutboxFile(path, found)) as file:
            numbers = dict[str, int](small["origins"])
            for events in _batches(_whole_events(connection, path, has_sums=has_sums)):
                file.store(events, {})
                count += len(events)
                for event in events:
                    numbers[event.origin] = max(event.seq, numbers.get(event.origin, 0))
            file.learn(numbers, dict(small["unfinished"]))
        if not count and not small["unfinished"]:
            for file_path in files_of(path):
                file_path.unlink(missing_ok=True)
    return count


@dataclass(frozen=True, slots=True)
class RescuedRows:
    """What is whole behind the place at which the log of an outbox breaks off."""

    events: list[StoredEvent]
    unfinished: dict[str, str]  # texts of what was open, by `interval_id`, as far as they are whole

    @property
    def changes(self) -> dict[str, str | None]:
        """Return the texts of what is open by `interval_id`, and None for what has ended.

        Only an event that ends something says so: behind the break a record may lack because the
        power cut tore its page.
        """
        changes: dict[str, str | None] = dict(self.unfinished)
        for row in self.events:
            with suppress(EventError):  # of another version
                event = decode_event(row.text)
                changes[event.interval_id] = text_if_open(event, row.text)
        return changes


def rescue_log(path: Path, last_id: int) -> RescuedRows:
    """Read what SQLite passes over in the log of an outbox, and change nothing.

    What is not whole behind the break is no damage: a power cut tears what was not synced. The
    first row that is missing there ends what is read, so that no event comes without those before.

    Args:
        path: of the outbox; nothing has been written to it since it was opened.
        last_id: of the newest row that SQLite reads.

    Raises:
        OSError: if the disk takes no copy.
        OutboxError: likewise.
    """
    database, log, _ = files_of(path)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".rescue-") as folder:
        copy, copied_log, _ = files_of(Path(folder) / path.name)
        create_private_file(copy)
        shutil.copyfile(database, copy)
        with open_private(copied_log, "wb") as file:
            file.write(resigned(log.read_bytes()))
        with explained(path), closing(connect(copy)) as connection:
            rows = _whole_events(connection, None, has_sums=True, behind=last_id)
            return RescuedRows(
                _without_gap(sorted(rows, key=lambda row: row.id), last_id),
                dict(_small_table(connection, "unfinished", None, has_sums=True)),
            )


def _without_gap(rows: list[StoredEvent], last_id: int) -> list[StoredEvent]:
    """Return the rows, in ascending order, up to the first id that is missing behind `last_id`."""
    return [row for row_id, row in enumerate(rows, last_id + 1) if row.id == row_id]


def _move_aside(path: Path) -> Path:
    number = 0
    while (aside := path.with_name(f"{path.name}.damaged{number or ''}")).exists():
        number += 1
    for old, new in zip(files_of(path), files_of(aside), strict=True):
        with suppress(FileNotFoundError):
            old.rename(new)
    return aside


def _has_checksums(connection: sqlite3.Connection) -> bool:
    with suppress(sqlite3.Error):
        names = connection.execute("SELECT name FROM pragma_table_info('events')").fetchall()
        return ("checksum",) in names
    return False


def _whole_events(
    connection: sqlite3.Connection, path: Path | None, *, has_sums: bool, behind: int = -1
) -> Iterator[StoredEvent]:
    """Yield the whole events, and set the others aside unless `path` is None."""
    for row in _rows(connection, _EVENTS.format("checksum" if has_sums else "NULL")):
        if row[0] <= behind:
            continue
        if _is_whole(row):
            yield stored_event(row)
        elif path is not None:
            set_aside(path, "events", row[:-1], "its checksum does not match")


def _batches(events: Iterator[StoredEvent]) -> Iterator[list[StoredEvent]]:
    while batch := list(islice(events, _BATCH)):
        yield batch


def _rows(connection: sqlite3.Connection, select: str) -> Iterator[tuple[Any, ...]]:
    """Yield every row that can be reached, from both ends: an unreadable page hides others."""
    seen = set[int]()
    for sign in (1, -1):
        for row in _scan(connection, select, sign):
            if row[0] not in seen:
                seen.add(row[0])
                yield row


def _scan(connection: sqlite3.Connection, select: str, sign: int) -> Iterator[tuple[Any, ...]]:
    """Yield rows by ascending (1) or descending (-1) id, and leap over what cannot be read."""
    order = "id > ? ORDER BY id" if sign > 0 else "id < ? ORDER BY id DESC"
    position, leap = (-1 if sign > 0 else _LAST_ID), 1
    for _ in range(_ATTEMPTS):
        begun_at = position
        try:
            for row in connection.execute(f"{select} WHERE {order}", (position,)):
                if (row[0] - position) * sign <= 0:
                    return  # a wrong order has no end
                position, leap = row[0], 1
                yield row
            return
        except sqlite3.Error:
            if position == begun_at:
                position, leap = position + sign * leap, leap * 2
            if leap > _LONGEST_LEAP or not -1 <= position <= _LAST_ID:
                return


def _small_table(
    connection: sqlite3.Connection, name: str, path: Path | None, *, has_sums: bool
) -> Iterator[tuple[Any, ...]]:
    """Yield the whole records of a small table; set others aside unless `path` is None."""
    columns = ", ".join(CHECKED[name])
    query = f"SELECT {columns}, {'checksum' if has_sums else 'NULL'} FROM {name}"  # noqa: S608
    with suppress(sqlite3.Error):
        for *values, sum_ in connection.execute(query):
            has_types = tuple(map(type, values)) == _TYPES[name]
            if has_types and (sum_ == checksum(*values) or not has_sums):
                yield tuple(values)
            elif path is not None:
                set_aside(path, name, values, "its checksum does not match")


def _is_whole(row: tuple[Any, ...]) -> bool:
    if row[-1] is not None:
        return bool(row[-1] == checksum(*row[:5]))
    try:  # version 1 had no checksums
        event = decode_event(row[4])
    except (EventError, TypeError):
        return False
    return (event.origin, event.seq) == (row[1], row[3])
