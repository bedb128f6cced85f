"""The SQLite file of an outbox: events with checksums, their numbers, and what is open.

WAL mode, because a killed process never leaves half an event. Commits are not synced one by one,
see `disk_sync`. SQLite's own checks find a broken structure, not a flipped bit in a text: every
record carries a checksum, and one that does not match is set aside.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from pipeline.delivery.storage.outbox_migration import add_checksums, checksum
from pipeline.delivery.storage.quarantine import set_aside
from pipeline.delivery.storage.wal_log import log_of
from pipeline.errors import OutboxDamagedError, OutboxError
from pipeline.runtime.private_files import create_private_file

_VERSION = 2  # PRAGMA user_version; version 1 wrote 0 and had no checksums
_TABLES = (
    """CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- order of delivery; never used twice
    origin TEXT NOT NULL,                  -- run_id/camera_id
    prev INTEGER NOT NULL,                 -- seq of the origin's event before this one, 0 for none
    seq INTEGER NOT NULL,
    is_update INTEGER NOT NULL,            -- may be dropped when the disk allowance is exceeded
    kept_since REAL NOT NULL,              -- Unix seconds
    text TEXT NOT NULL,
    checksum BLOB)""",
    "CREATE INDEX IF NOT EXISTS by_origin ON events (origin, seq)",
    "CREATE INDEX IF NOT EXISTS updates ON events (id) WHERE is_update",
    "CREATE TABLE IF NOT EXISTS origins "
    "(origin TEXT PRIMARY KEY, seq INTEGER NOT NULL, checksum BLOB) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS target (name TEXT NOT NULL, checksum BLOB)",
    "CREATE TABLE IF NOT EXISTS unfinished "
    "(what TEXT PRIMARY KEY, text TEXT NOT NULL, checksum BLOB) WITHOUT ROWID",
)
_COLUMNS = "id, origin, prev, seq, text, kept_since, is_update, checksum"
_INSERT = f"""
INSERT OR REPLACE INTO events ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""  # noqa: S608
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_MAX_ID = 2**53
_BUSY_S = 2.0  # longest wait for another program that locks the file


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """A row of the outbox: an event with its sequence number and the one before it."""

    id: int
    origin: str
    prev: int
    seq: int
    text: str
    kept_since: float  # Unix seconds
    is_update: bool = False


def stored_event(row: Sequence[Any]) -> StoredEvent:
    """Make an event of the first seven columns of a row."""
    row_id, origin, prev, seq, text, kept_since, is_update = row[:7]
    return StoredEvent(row_id, origin, prev, seq, text, kept_since, bool(is_update))


def files_of(path: Path) -> list[Path]:
    """Return the database and the files that SQLite keeps beside it."""
    return [path, log_of(path), path.with_name(f"{path.name}-shm")]


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Raise errors of SQLite inside the block as errors that name the file.

    Raises:
        OutboxDamagedError: if the file is not what was written, which no waiting changes.
        OutboxError: if it cannot be read or written now: disk full, locked, permission, I/O.
    """
    try:
        yield
    except sqlite3.Error as error:
        # Extended codes have the primary one in their lowest byte; errors of Python's module none.
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        kind = OutboxDamagedError if code in _DAMAGE else OutboxError
        raise kind(f"cannot keep events in {path}: {error}") from error
    except OSError as error:
        raise OutboxError(f"cannot keep events in {path}: {error.strerror or error}") from error


class OutboxFile:
    """One open file; not safe for several threads, but it may be passed between them.

    Args:
        path: of the database; created if missing, and converted if version 1 wrote it.
        target: server and stream that a new outbox is meant for, without credentials.

    Attributes:
        target: server and stream that it was made for.
        last_id: of its newest row ever.
        last_seq: newest sequence number by origin.
        unfinished: text of the newest event of what has begun and not ended, by `interval_id`.
        set_aside: records that did not match their checksum since it was opened.

    Raises:
        OutboxDamagedError: if it is no such database.
        OutboxError: if it cannot be opened now.
    """

    def __init__(self, path: Path, target: str = "") -> None:
        self.path, self.set_aside = path, 0
        self._bad_ids = set[int]()
        with explained(path):
            _refuse_lost_database(path)
            self._connection = connect(path)
        try:
            with explained(path):
                self._create(target)
                self._load()
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def check(self) -> None:
        """Read the whole file and check its structure.

        Raises:
            OutboxDamagedError: if it is broken.
            OutboxError: if it cannot be read now.
        """
        with explained(self.path):
            (found,) = self._connection.execute("PRAGMA integrity_check(1)").fetchone()
        if found != "ok":
            raise OutboxDamagedError(f"cannot keep events in {self.path}: {found}")

    def store(self, rows: Iterable[StoredEvent], changes: Mapping[str, str | None]) -> None:
        """Write rows, all or none, with what they began and ended.

        Args:
            rows: with ids above those in the file.
            changes: text of the newest event by `interval_id`, None for what has ended.

        Raises:
            OutboxError: if the disk does not take them, or the file is damaged.
        """
        with explained(self.path), transaction(self._connection):
            newest = dict[str, int]()
            for row in rows:
                sum_ = checksum(row.id, row.origin, row.prev, row.seq, row.text)
                values = (row.id, row.origin, row.prev, row.seq, row.text, row.kept_since)
                self._connection.execute(_INSERT, (*values, row.is_update, sum_))
                newest[row.origin] = row.seq
            self._set_numbers(newest)
            self._change_unfinished(changes)

    def after(self, row_id: int, limit: int) -> list[StoredEvent]:
        """Return up to `limit` whole events behind a row, in order of delivery.

        Raises:
            OutboxError: if the disk cannot be read, or the file is damaged.
        """
        while True:
            with explained(self.path):
                rows = self._connection.execute(
                    f"SELECT {_COLUMNS} FROM events WHERE id > ? ORDER BY id LIMIT ?",  # noqa: S608
                    (row_id, limit),
                ).fetchall()
            ids = [row_id, *(row[0] for row in rows)]
            if any(later <= earlier for earlier, later in pairwise(ids)):
                raise OutboxDamagedError(f"cannot keep events in {self.path}: rows out of order")
            whole = self._whole(rows)
            if whole or not rows:
                return whole
            row_id = ids[-1]

    def next_of(self, origin: str, seq: int) -> StoredEvent | None:
        """Return the first whole event of one camera and run behind a sequence number.

        Raises:
            OutboxError: if the disk cannot be read, or the file is damaged.
        """
        while True:
            with explained(self.path):
                row = self._connection.execute(
                    f"SELECT {_COLUMNS} FROM events "  # noqa: S608
                    "WHERE origin = ? AND seq > ? ORDER BY seq LIMIT 1",
                    (origin, seq),
                ).fetchone()
            if row is None:
                return None
            if row[1] != origin or not isinstance(row[3], int) or row[3] <= seq:
                raise OutboxDamagedError(f"cannot keep events in {self.path}: a wrong index")
            if whole := self._whole([row]):
                return whole[0]
            seq = row[3]

    def forget(self, row_id: int) -> None:
        """Delete the rows up to one.

        Raises:
            OutboxError: if the disk does not take it, or the file is damaged.
        """
        with explained(self.path):
            self._connection.execute("DELETE FROM events WHERE id <= ?", (row_id,))

    def delete_oldest(self, condition: str, delivered_id: int, limit: int) -> int:
        """Delete the oldest rows that fulfil a condition on `delivered_id`; returns how many."""
        oldest = f"SELECT id FROM events WHERE {condition} ORDER BY id LIMIT ?"  # noqa: S608
        with explained(self.path):
            return self._connection.execute(
                f"DELETE FROM events WHERE id IN ({oldest})",  # noqa: S608 - conditions of outbox.py
                (delivered_id, limit),
            ).rowcount

    def count(self) -> int:
        """Count the rows."""
        with explained(self.path):
            (count,) = self._connection.execute("SELECT count(*) FROM events").fetchone()
        return int(count)

    def used_bytes(self) -> int:
        """Return what the rows take on disk."""
        with explained(self.path):
            pages, free, size = (
                self._connection.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("page_count", "freelist_count", "page_size")
            )
        return int((pages - free) * size)

    def learn(self, numbers: Mapping[str, int], changes: Mapping[str, str | None]) -> None:
        """Write newest sequence numbers by origin, and what is open; see `store`.

        Raises:
            OutboxError: if the disk does not take them, or the file is damaged.
        """
        with explained(self.path), transaction(self._connection):
            self._set_numbers(numbers)
            self._change_unfinished(changes)

    def _set_numbers(self, numbers: Mapping[str, int]) -> None:
        self._connection.executemany(
            "INSERT OR REPLACE INTO origins VALUES (?, ?, ?)",
            [(origin, seq, checksum(origin, seq)) for origin, seq in numbers.items()],
        )

    def _change_unfinished(self, changes: Mapping[str, str | None]) -> None:
        for what, text in changes.items():
            if text is None:
                self._connection.execute("DELETE FROM unfinished WHERE what = ?", (what,))
            else:
                self._connection.execute(
                    "INSERT OR REPLACE INTO unfinished VALUES (?, ?, ?)",
                    (what, text, checksum(what, text)),
                )

    def _create(self, target: str) -> None:
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if version == _VERSION:
            return
        with transaction(self._connection):
            has_tables = self._connection.execute("SELECT 1 FROM sqlite_master").fetchone()
            if has_tables:
                add_checksums(self._connection)
            for statement in _TABLES:
                self._connection.execute(statement)
            if self._connection.execute("SELECT 1 FROM target").fetchone() is None:
                values = (target, checksum(target))
                self._connection.execute("INSERT INTO target VALUES (?, ?)", values)
            self._connection.execute(f"PRAGMA user_version = {_VERSION}")

    def _load(self) -> None:
        used = self._connection.execute(
            "SELECT max(id) FROM events UNION ALL "
            "SELECT seq FROM sqlite_sequence WHERE name = 'events'"
        ).fetchall()
        # These numbers have no checksum: an id that no run can reach is a flipped bit.
        ids = [value for (value,) in used if isinstance(value, int) and 0 < value < _MAX_ID]
        self.last_id: int = max(ids, default=0)
        self.last_seq: dict[str, int] = {}
        for origin, seq in self._table("origins"):
            self.last_seq[origin] = seq
        if self.set_aside:  # the rows know as much, unless they are delivered and deleted
            newest = "SELECT origin, max(seq) FROM events GROUP BY origin"
            for origin, seq in self._connection.execute(newest):
                if isinstance(seq, int):
                    self.last_seq[origin] = max(seq, self.last_seq.get(origin, 0))
        self.unfinished: dict[str, str] = dict(self._table("unfinished"))
        self.target: str = next((name for (name,) in self._table("target")), "")

    def _table(self, name: str) -> Iterator[tuple[Any, ...]]:
        """Yield the whole records of a small table."""
        for record in self._connection.execute(f"SELECT * FROM {name}").fetchall():  # noqa: S608
            *values, sum_ = record
            if sum_ == checksum(*values):
                yield tuple(values)
            else:
                self.set_aside += 1
                set_aside(self.path, name, values, "its checksum does not match")

    def _whole(self, rows: Sequence[tuple[Any, ...]]) -> list[StoredEvent]:
        whole = []
        for row in rows:
            if row[-1] == checksum(*row[:5]) and _is_utf8(row[4]):
                whole.append(stored_event(row))
            elif row[0] not in self._bad_ids:  # it is read again when a server lost its newest
                self._bad_ids.add(row[0])
                self.set_aside += 1
                set_aside(self.path, "events", row[:-1], "its checksum does not match")
        return whole


def connect(path: Path) -> sqlite3.Connection:
    """Open a database of ours, for its owner alone; texts that are no UTF-8 are read, too."""
    create_private_file(path)  # SQLite gives the files beside it the same mode
    connection = sqlite3.connect(
        path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
    )
    connection.text_factory = _decode
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        connection.close()
        raise
    return connection


def _refuse_lost_database(path: Path) -> None:
    """Raise if the database is empty beside a log of it, which SQLite would delete."""
    log = log_of(path)
    if path.exists() and not path.stat().st_size and log.exists() and log.stat().st_size:
        raise OutboxDamagedError(f"cannot keep events in {path}: it is empty, its log is not")


def _decode(text: bytes) -> str:
    return text.decode(errors="surrogateescape")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit what the block writes, or nothing of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
