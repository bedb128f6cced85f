"""Events on local disk until Redis has them: a queue in an SQLite table.

WAL mode, because a killed process never leaves half an event and a reader never blocks the writer.
Commits are not synced one by one: a power failure may lose the last second or two, as with the
append-only file of Redis.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline.delivery.interrupted import closing_event
from pipeline.errors import OutboxError
from pipeline.events import Event, decode_event, encode_event
from pipeline.runtime.private_files import create_private_file

_TABLES = """
CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- order of delivery; never used twice
    origin TEXT NOT NULL,                  -- run_id/camera_id
    prev INTEGER NOT NULL,                 -- seq of the origin's event before this one, 0 for none
    seq INTEGER NOT NULL,
    is_update INTEGER NOT NULL,            -- may be dropped when the disk allowance is exceeded
    kept_since REAL NOT NULL,              -- Unix seconds
    text TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS by_origin ON events (origin, seq);
CREATE INDEX IF NOT EXISTS updates ON events (id) WHERE is_update;
CREATE TABLE IF NOT EXISTS origins (origin TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS target (name TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS unfinished (what TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID;
"""
_INSERT = """
INSERT INTO events (origin, prev, seq, is_update, kept_since, text) VALUES (?, ?, ?, ?, ?, ?)
"""
_CHECK_EVERY = 200  # events between two checks of the size
_WARN_AT = 0.8  # of the allowance
_DROP = 0.05  # of the events, at a time

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """A row of the outbox: an event with its sequence number and the one before it."""

    id: int
    origin: str
    prev: int
    seq: int
    text: str
    kept_since: float  # Unix seconds


def files_of(path: Path) -> list[Path]:
    """Return the database and the files that SQLite keeps beside it."""
    return [path.with_name(path.name + suffix) for suffix in ("", "-wal", "-shm")]


class Outbox:
    """The events of one run that Redis lacks, and those that it got only recently.

    One thread appends, one other reads and deletes.

    Args:
        path: of the database; created if missing.
        target: server and stream that a new outbox is meant for, without credentials.
        max_bytes: allowance on disk. Where it is exceeded, events that Redis has are deleted first,
            then the oldest updates are dropped, and only then events of any kind.
        now: clock, Unix seconds.

    Attributes:
        dropped: events that were deleted before Redis got them.
        delivered_id: Redis has the rows up to this one; set by the reader.

    Raises:
        OutboxError: if it cannot be created or is damaged.
    """

    def __init__(
        self,
        path: Path,
        *,
        target: str = "",
        max_bytes: int = 2**30,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.path = path
        self.dropped = 0
        self._max_bytes, self._now = max_bytes, now
        self._until_check, self._warned = 0, False
        with self._explained():
            create_private_file(path)  # SQLite gives the files beside it the same mode
            self._writer, self._reader = self._connect(), self._connect()
            self._writer.executescript(_TABLES)
            self._last_seq: dict[str, int] = dict(
                self._writer.execute("SELECT origin, seq FROM origins")
            )
            (newest,) = self._writer.execute("SELECT max(id) FROM events").fetchone()
            known = self._writer.execute("SELECT name FROM target").fetchone()
            if known is None:
                self._writer.execute("INSERT INTO target VALUES (?)", (target,))
        self.target: str = target if known is None else known[0]
        self._last_id = newest or 0
        self.delivered_id = 0

    def __enter__(self) -> Outbox:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._reader.close()
        self._writer.close()

    def remove(self) -> None:
        """Close and delete the file; everything in it is delivered."""
        self.close()
        for path in files_of(self.path):
            path.unlink(missing_ok=True)

    @property
    def waiting(self) -> int:
        """Events that Redis lacks; an upper limit after events were dropped."""
        return max(0, self._last_id - self.delivered_id)

    def append(self, events: Sequence[Event]) -> None:
        """Store events, all or none; they survive the death of the process.

        Raises:
            OutboxError: if the disk cannot be written.
        """
        if not events:
            return
        with self._explained(), self._transaction():
            row_ids = [self._insert(event) for event in events]
            self._until_check -= len(events)
            if self._until_check <= 0:
                self._until_check = _CHECK_EVERY
                self._keep_within_allowance()
        self._last_id = row_ids[-1]  # after the commit: the reader must find every row up to here

    def interrupt(self) -> int:
        """Append the ends of what a killed process left open.

        Returns:
            How many events were appended.

        Raises:
            EventError: if the events have the schema of another version.
        """
        with self._explained():
            texts = self._writer.execute("SELECT text FROM unfinished ORDER BY what").fetchall()
        unfinished = [decode_event(text) for (text,) in texts]
        # Actions first: the last event of a camera is that it is down.
        unfinished.sort(key=lambda event: event.kind == "camera_up")
        for event in unfinished:
            self.append([closing_event(event, self._last_seq[event.origin] + 1)])
        return len(unfinished)

    def after(self, row_id: int, limit: int) -> list[StoredEvent]:
        """Return up to `limit` events behind a row, in order of delivery."""
        last_id = self._last_id
        with self._explained():
            rows = self._reader.execute(
                "SELECT id, origin, prev, seq, text, kept_since FROM events "
                "WHERE id > ? ORDER BY id LIMIT ?",
                (row_id, limit),
            ).fetchall()
        if not rows:
            self.delivered_id = max(self.delivered_id, last_id)  # the missing rows were dropped
        return [StoredEvent(*row) for row in rows]

    def next_of(self, origin: str, seq: int) -> StoredEvent | None:
        """Return the first event of one camera and run behind a sequence number."""
        with self._explained():
            row = self._reader.execute(
                "SELECT id, origin, prev, seq, text, kept_since FROM events "
                "WHERE origin = ? AND seq > ? ORDER BY seq LIMIT 1",
                (origin, seq),
            ).fetchone()
        return StoredEvent(*row) if row else None

    def forget(self, before: float) -> None:
        """Delete the delivered events that were stored before a Unix time."""
        with self._explained():
            self._reader.execute(
                "DELETE FROM events WHERE id <= ? AND kept_since < ?", (self.delivered_id, before)
            )

    def accept_gap(self, row_id: int, newest_seq: int) -> None:
        """Let the event of a row follow directly on a number: what was between them is lost."""
        with self._explained():
            self._reader.execute("UPDATE events SET prev = ? WHERE id = ?", (newest_seq, row_id))

    def _insert(self, event: Event) -> int:
        origin, text = event.origin, encode_event(event)
        row = (origin, self._last_seq.get(origin, 0), event.seq, event.kind == "update")
        row_id = self._writer.execute(_INSERT, (*row, self._now(), text)).lastrowid
        assert row_id is not None
        self._last_seq[origin] = event.seq
        self._writer.execute("INSERT OR REPLACE INTO origins VALUES (?, ?)", (origin, event.seq))
        if event.kind in ("end", "camera_down"):
            self._writer.execute("DELETE FROM unfinished WHERE what = ?", (event.subject,))
        else:
            self._writer.execute(
                "INSERT OR REPLACE INTO unfinished VALUES (?, ?)", (event.subject, text)
            )
        return row_id

    def _keep_within_allowance(self) -> None:
        used = self._used_bytes()
        if used > self._max_bytes:
            self._make_room()
        if used > _WARN_AT * self._max_bytes and not self._warned:
            log.warning(
                "%s: %d events wait for Redis and take %.0f of %.0f MB; beyond that the oldest "
                "updates are dropped first",
                self.path,
                self.waiting,
                used / 1e6,
                self._max_bytes / 1e6,
            )
        self._warned = used > _WARN_AT * self._max_bytes

    def _make_room(self) -> None:
        count = max(1, int(_DROP * self._count()))
        if self._delete_oldest("id <= ?", count):  # Redis has them
            return
        what, gone = "updates", self._delete_oldest("id > ? AND is_update", count)
        if not gone:
            what, gone = "events of any kind", self._delete_oldest("id > ?", count)
        self.dropped += gone
        log.error(
            "%s: the allowance of %.0f MB is used up; the %d oldest %s are dropped and will be "
            "missing on the stream",
            self.path,
            self._max_bytes / 1e6,
            gone,
            what,
        )

    def _delete_oldest(self, condition: str, limit: int) -> int:
        oldest = f"SELECT id FROM events WHERE {condition} ORDER BY id LIMIT ?"  # noqa: S608
        return self._writer.execute(
            f"DELETE FROM events WHERE id IN ({oldest})",  # noqa: S608 - conditions from above
            (self.delivered_id, limit),
        ).rowcount

    def _count(self) -> int:
        (count,) = self._writer.execute("SELECT count(*) FROM events").fetchone()
        return int(count)

    def _used_bytes(self) -> int:
        pages, free, size = (
            self._writer.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * size)

    def _connect(self) -> sqlite3.Connection:
        # Both connections wait for each other's short transactions.
        connection = sqlite3.connect(
            self.path, timeout=10.0, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        before = dict(self._last_seq)
        self._writer.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._writer.execute("COMMIT")
        except BaseException:
            self._last_seq = before
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            raise

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise OutboxError(f"cannot keep events in {self.path}: {error}") from error
