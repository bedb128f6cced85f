"""What a publisher of `benchmarks.chaos` has produced, in shared memory that outlives a SIGKILL.

A mapped file, because a full disk or a power cut of the run must not touch the record of it.
"""

from __future__ import annotations

import mmap
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline.delivery.storage import disk_sync
from pipeline.delivery.storage.wal_log import log_of

_PREFIX = "produced-"
_CAMERAS = 3
_NUMBERS = struct.Struct(f"={_CAMERAS}Q")  # newest sequence numbers, in the order of the cameras
_SYNCED = struct.Struct(f"=8sQd{_CAMERAS}Q")  # salts and bytes of the log, time, the numbers
_SLOT = struct.Struct("=Q")  # which of two records of a sync is whole
_SIZE = 4096


@dataclass(frozen=True, slots=True)
class SyncedState:
    """The write-ahead log of an outbox at the start of its newest completed sync."""

    salts: bytes  # of the log's generation
    log_bytes: int
    at: float  # monotonic seconds
    numbers: tuple[int, ...]  # newest sequence numbers that it had


class ProducedRecord:
    """The record of one run; the publisher writes it, the checks read it.

    Args:
        folder: of the chaos run.
        run_id: of the publisher.
    """

    def __init__(self, folder: Path, run_id: str) -> None:
        self.path = folder / f"{_PREFIX}{run_id}"
        if not self.path.exists():
            self.path.write_bytes(bytes(_SIZE))
        with self.path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _SIZE)
        self._slot = 0

    @property
    def numbers(self) -> tuple[int, ...]:
        """Newest sequence numbers that were certainly stored, by camera."""
        return _NUMBERS.unpack_from(self._map, 0)

    @numbers.setter
    def numbers(self, numbers: tuple[int, ...]) -> None:
        _NUMBERS.pack_into(self._map, 0, *numbers)

    @property
    def synced(self) -> SyncedState:
        """The newest completed sync; all zeros before the first one."""
        (slot,) = _SLOT.unpack_from(self._map, 512)
        salts, log_bytes, at, *numbers = _SYNCED.unpack_from(self._map, 1024 * (1 + slot))
        return SyncedState(salts, log_bytes, at, tuple(numbers))

    @synced.setter
    def synced(self, state: SyncedState) -> None:
        self._slot = 1 - self._slot
        values = (state.salts, state.log_bytes, state.at, *state.numbers)
        _SYNCED.pack_into(self._map, 1024 * (1 + self._slot), *values)
        _SLOT.pack_into(self._map, 512, self._slot)


def record_syncs(record: ProducedRecord) -> None:
    """Record every sync that the outbox of this process makes."""
    sync_outbox: Callable[[Path], None] = disk_sync.sync_outbox

    def recording(path: Path) -> None:
        log = log_of(path)
        numbers, at = record.numbers, time.monotonic()
        with log.open("rb") as file:
            header = file.read(32)
        log_bytes = log.stat().st_size
        sync_outbox(path)
        record.synced = SyncedState(header[16:24], log_bytes, at, numbers)

    disk_sync.sync_outbox = recording


def records_in(folder: Path) -> dict[str, ProducedRecord]:
    """Return the records of a chaos run by run id."""
    found = (path for path in sorted(folder.glob(f"{_PREFIX}*")) if path.stat().st_size == _SIZE)
    names = (path.name.removeprefix(_PREFIX) for path in found)
    return {run_id: ProducedRecord(folder, run_id) for run_id in names}


def produced_total(folder: Path) -> int:
    """Return how many events all publishers have stored so far."""
    return sum(sum(record.numbers) for record in records_in(folder).values())
