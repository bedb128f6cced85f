"""Events on local disk until Redis has them, or in memory while the disk takes none."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from pipeline.delivery.storage.disk_allowance import DiskAllowance
from pipeline.delivery.storage.disk_sync import DiskSync
from pipeline.delivery.storage.interrupted import closing_events, text_if_open
from pipeline.delivery.storage.memory_rows import MemoryRows
from pipeline.delivery.storage.outbox_file import OutboxFile, StoredEvent, files_of
from pipeline.delivery.storage.quarantine import set_aside
from pipeline.delivery.storage.salvage import RescuedRows, salvage
from pipeline.errors import OutboxDamagedError, OutboxError
from pipeline.events import Event, encode_event

MEMORY_BYTES = 64 * 2**20  # of events while the disk takes none
_RETRY_S = 5.0  # between two attempts to write to a disk that took none

log = logging.getLogger(__name__)
T = TypeVar("T")


class Outbox:
    """The events of one run that Redis lacks, and those that it got only recently.

    Any thread may call it. What it stores is synced to disk within a second. While the disk takes
    nothing (full, locked, failing), events stay in memory, from where they are delivered, and are
    moved to the disk when it takes them again. A file that turns out to be damaged is replaced by
    one with the events that are whole.

    Args:
        path: of the database; created if missing.
        target: server and stream that a new outbox is meant for, without credentials.
        max_bytes: allowance on disk. Where it is exceeded, events that Redis has are deleted first,
            then the oldest updates are dropped, and only then events of any kind.
        max_memory_bytes: the same for the memory.
        tolerant: start in memory if the disk takes nothing.
        prepare: makes the folder and locks the outbox, before each attempt to open the file.
        now: clock, Unix seconds.
        monotonic: seconds on a clock that is never set back.

    Attributes:
        dropped: events that were deleted before Redis got them.
        disk_error: why the disk takes nothing now; None while it does.

    Raises:
        OutboxDamagedError: if it is damaged.
        OutboxError: unless `tolerant`, if it cannot be opened now.
    """

    def __init__(
        self,
        path: Path,
        *,
        target: str = "",
        max_bytes: int = 2**30,
        max_memory_bytes: int = MEMORY_BYTES,
        tolerant: bool = False,
        prepare: Callable[[], object] = lambda: None,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path, self.target = path, target
        self.dropped = 0
        self._delivered = [(0.0, 0)]  # (monotonic seconds, row id), both ascending
        self.disk_error: str | None = None
        self._allowance, self._prepare = DiskAllowance(max_bytes), prepare
        self._now, self._monotonic = now, monotonic
        self._lock = threading.RLock()
        self._memory = MemoryRows(max_memory_bytes)
        self._changes: dict[str, str | None] = {}  # of `unfinished`, that the disk lacks
        self._accepted: dict[int, int] = {}  # row id -> number that it follows, see accept_gap
        self._retry_at, self._past_disk = 0.0, 0
        self._file: OutboxFile | None = None
        self._last_id, self._last_seq, self._unfinished = 0, dict[str, int](), dict[str, str]()
        try:
            self._file = self._open()
        except OutboxDamagedError:
            raise
        except OutboxError as error:
            if not tolerant:
                raise
            self._leave_disk(error)
        else:
            self.target = self._file.target
            self._last_id = self._file.last_id
            self._last_seq = dict(self._file.last_seq)
            self._unfinished = dict(self._file.unfinished)
        self._sync = DiskSync(path)

    def __enter__(self) -> Outbox:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._sync.close()
        with self._lock:
            if lost := self.move_to_disk():
                log.error("%s: %d events that only the memory has are lost", self.path, lost)
            if self._file is not None:
                self._file.close()
            self._file = None

    def move_to_disk(self) -> int:
        """Try to write what is in memory; returns how many events only the memory has."""
        with self._lock:
            waiting = self._memory.after(self.delivered_id, len(self._memory))
            return 0 if not waiting or self._return_to_disk() else len(waiting)

    def remove(self) -> None:
        """Close and delete the file; everything in it is delivered."""
        with self._lock:
            self._memory.clear()
        self.close()
        for path in files_of(self.path):
            path.unlink(missing_ok=True)

    def check(self) -> None:
        """Read the whole file and check its structure.

        Raises:
            OutboxDamagedError: if it is broken.
            OutboxError: if it cannot be read now.
        """
        if self._file is not None:
            self._file.check()

    @property
    def delivered_id(self) -> int:
        """Redis has the rows up to this one; set by the reader, back too if Redis lost some."""
        return self._delivered[-1][1]

    @delivered_id.setter
    def delivered_id(self, row_id: int) -> None:
        with self._lock:
            while self._delivered and self._delivered[-1][1] >= row_id:
                self._delivered.pop()
            self._delivered.append((self._monotonic(), row_id))

    @property
    def waiting(self) -> int:
        """Events that Redis lacks; an upper limit after events were dropped."""
        return max(0, self._last_id - self.delivered_id)

    @property
    def last_id(self) -> int:
        """Return the id of the newest row."""
        return self._last_id

    @property
    def unfinished(self) -> int:
        """Count what has begun and not ended: actions and cameras."""
        return len(self._unfinished)

    @property
    def set_aside(self) -> int:
        """Records that did not match their checksum."""
        return 0 if self._file is None else self._file.set_aside

    def numbers(self) -> dict[str, int]:
        """Return the newest sequence numbers by origin."""
        with self._lock:
            return dict(self._last_seq)

    def append(self, events: Sequence[Event]) -> None:
        """Store events, all or none; on disk they survive the death of the process."""
        if not events:
            return
        with self._lock:
            rows, last_seq, changes = self._rows_of(events)
            if not self._write_to_disk(rows, changes):
                self._memory.add(rows)
                self._changes |= changes
                self._past_disk += len(rows)
                self._keep_memory_within_limit()
            self._last_seq = last_seq
            self._note(changes)
            self._last_id = rows[-1].id  # at last: the reader must find every row up to here

    def interrupt(self) -> int:
        """Append the ends of what a killed process left open.

        Returns:
            How many events were appended.

        Raises:
            EventError: if the events have the schema of another version.
        """
        with self._lock:
            ends = closing_events(self._unfinished, self._last_seq)
            self.append(ends)
            return len(ends)

    def learn(self, origin: str, newest_seq: int, events: Sequence[Event]) -> None:
        """Continue behind events that Redis has and this outbox has lost.

        Args:
            origin: camera and run, `run_id/camera_id`.
            newest_seq: the newest number that Redis has of it.
            events: those behind the newest number of this outbox, as far as Redis has them.
        """
        changes = {event.interval_id: text_if_open(event) for event in events}
        with self._lock:
            self._last_seq[origin] = newest_seq
            self._note(changes)
            self._on_disk(lambda file: file.learn({origin: newest_seq}, changes))

    def adopt(self, found: RescuedRows) -> None:
        """Append rows that follow on those here, with what is open after them."""
        rows, changes = found.events, found.changes
        with self._lock:
            self._on_disk(lambda file: file.store(rows, changes))
            self._note(changes)
            self._last_seq |= {row.origin: row.seq for row in rows}
            self._last_id = max(self._last_id, *(row.id for row in rows))

    def after(self, row_id: int, limit: int) -> list[StoredEvent]:
        """Return up to `limit` events behind a row, in order of delivery.

        Raises:
            OutboxError: if the disk cannot be read now.
        """
        with self._lock:
            first_id, rows = self._memory.first_id, list[StoredEvent]()
            if first_id is None or row_id < first_id - 1:
                rows = self._read(lambda file: file.after(row_id, limit), [])
            newest_id = rows[-1].id if rows else row_id
            rows += self._memory.after(newest_id, limit - len(rows))
            if not rows:
                # The missing rows were dropped, or set aside.
                self.delivered_id = max(self.delivered_id, self._last_id)
            return [self._with_accepted(row) for row in rows]

    def next_of(self, origin: str, seq: int) -> StoredEvent | None:
        """Return the first event of one camera and run behind a sequence number.

        Raises:
            OutboxError: if the disk cannot be read now.
        """
        with self._lock:
            row = self._read(lambda file: file.next_of(origin, seq), None)
            row = row or self._memory.next_of(origin, seq)
            return None if row is None else self._with_accepted(row)

    def forget(self, after_s: float) -> None:
        """Delete the events that were delivered longer than so many seconds ago."""
        with self._lock:
            before = self._monotonic() - after_s
            old = [row_id for at, row_id in self._delivered if at < before]
            if not old:
                return
            self._delivered = self._delivered[len(old) - 1 :]
            self._memory.forget(old[-1])
            if self.disk_error is None:
                self._on_disk(lambda file: file.forget(old[-1]))

    def accept_gap(self, row_id: int, newest_seq: int) -> None:
        """Let the event of a row follow directly on a number: what was between them is lost."""
        with self._lock:
            self._accepted[row_id] = newest_seq

    def quarantine(self, row: StoredEvent, reason: str) -> None:
        """Set an event aside, which Redis does not take, and log an error."""
        values = (row.id, row.origin, row.prev, row.seq, row.text, row.kept_since)
        set_aside(self.path, "events", values, reason)

    def _rows_of(
        self, events: Sequence[Event]
    ) -> tuple[list[StoredEvent], dict[str, int], dict[str, str | None]]:
        last_seq, kept_since = dict(self._last_seq), self._now()
        rows, changes = list[StoredEvent](), dict[str, str | None]()
        for row_id, event in enumerate(events, self._last_id + 1):
            origin, prev, text = event.origin, last_seq.get(event.origin, 0), encode_event(event)
            is_update = event.is_update
            rows.append(StoredEvent(row_id, origin, prev, event.seq, text, kept_since, is_update))
            last_seq[origin] = event.seq
            changes[event.interval_id] = text_if_open(event, text)
        return rows, last_seq, changes

    def _note(self, changes: Mapping[str, str | None]) -> None:
        for what, text in changes.items():
            if text is None:
                self._unfinished.pop(what, None)
            else:
                self._unfinished[what] = text

    def _with_accepted(self, row: StoredEvent) -> StoredEvent:
        prev = self._accepted.get(row.id)
        return row if prev is None else replace(row, prev=prev)

    def _write_to_disk(
        self, rows: Sequence[StoredEvent], changes: Mapping[str, str | None]
    ) -> bool:
        """Write rows to the file; False if they are to stay in memory."""
        if self.disk_error is not None and (
            self._monotonic() < self._retry_at or not self._return_to_disk()
        ):
            return False
        if not self._on_disk(lambda file: file.store(rows, changes)):
            return False
        self._sync.written()
        self._on_disk(partial(self._keep_within_allowance, len(rows)))
        return True

    def _keep_within_allowance(self, added: int, file: OutboxFile) -> None:
        self.dropped += self._allowance.enforce(file, added, self.delivered_id, self.waiting)

    def _on_disk(self, change: Callable[[OutboxFile], object]) -> bool:
        """Change the file; if the disk does not take it, continue in memory and return False."""
        if self._file is None:
            return False
        try:
            self._repairing(change)
        except OutboxError as error:
            self._leave_disk(error)
            return False
        return True

    def _read(self, question: Callable[[OutboxFile], T], without_file: T) -> T:
        return without_file if self._file is None else self._repairing(question)

    def _repairing(self, action: Callable[[OutboxFile], T]) -> T:
        """Use the file; where it is damaged, use what is whole in it instead."""
        assert self._file is not None
        try:
            return action(self._file)
        except OutboxDamagedError as error:
            self._file.close()
            self._file = None
            salvage(self.path, error, self.target)
            self._file = OutboxFile(self.path, self.target)
            self._file.learn(self._last_seq, dict(self._unfinished))
            self._file.set_aside += 1
            return action(self._file)

    def _open(self) -> OutboxFile:
        try:
            self._prepare()
        except OSError as error:
            raise OutboxError(f"cannot keep events in {self.path}: {error.strerror}") from error
        return OutboxFile(self.path, self.target)

    def _leave_disk(self, error: OutboxError) -> None:
        self._retry_at = self._monotonic() + _RETRY_S
        if self.disk_error is None:
            log.error("%s; events are delivered from memory until it can be written", error)
        self.disk_error = str(error)

    def _return_to_disk(self) -> bool:
        """Try to write what is in memory; False if the disk does not take it yet."""
        try:
            if self._file is not None:
                with suppress(OutboxError):
                    self._file.close()
                self._file = None
            self._file = self._open()
            self._file.store(self._memory.rows(), self._changes)
        except OutboxError as error:
            self._leave_disk(error)
            return False
        log.warning(
            "%s can be written again; %d events went past it, %d of them wait",
            self.path,
            self._past_disk,
            self.waiting,
        )
        self._memory.clear()
        self._changes, self.disk_error, self._past_disk = {}, None, 0
        return True

    def _keep_memory_within_limit(self) -> None:
        dropped, what = self._memory.make_room(self.delivered_id)
        if dropped:
            self.dropped += dropped
            log.error(
                "%s: neither the disk nor Redis takes events and the memory for them is used up; "
                "the %d oldest %s are dropped and will be missing on the stream",
                self.path,
                dropped,
                what,
            )
