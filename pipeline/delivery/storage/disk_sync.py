"""Sync an outbox to disk at least once a second, so that a power cut costs no more than that."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path

from pipeline.delivery.storage.wal_log import log_of

# Seconds between two syncs while events are written. The rest of the promised second is for the
# sync itself; what a disk only claims to have written is beyond any program.
INTERVAL_S = 0.7

log = logging.getLogger(__name__)


def sync_outbox(path: Path) -> None:
    """Write what SQLite has committed to disk.

    Committed events are in the write-ahead log until SQLite moves them to the database, and it
    syncs both files when it does.

    Raises:
        OSError: if the disk does not take it.
    """
    _sync(log_of(path), os.fdatasync)


def sync_folder(path: Path) -> None:
    """Write the names in a folder to disk, without which a synced file has none.

    Raises:
        OSError: if the disk does not take it.
    """
    _sync(path, os.fsync)


class DiskSync:
    """A thread that syncs one outbox soon after events were written to it.

    Args:
        path: of the outbox.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._written, self._closing = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._failed = False

    def written(self) -> None:
        """Notify the thread of new events; the first call starts it."""
        self._written.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="sync outbox", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Sync a last time and end the thread."""
        self._closing.set()
        self._written.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        try:
            for folder in (self._path.parent, self._path.parent.parent):
                sync_folder(folder)
        except OSError as error:
            self._report(error)
        while not self._closing.is_set():
            self._written.wait()
            self._written.clear()
            self._sync()
            self._closing.wait(INTERVAL_S)
        self._sync()

    def _sync(self) -> None:
        try:
            sync_outbox(self._path)
        except FileNotFoundError:
            pass  # SQLite has closed it, or is about to create it
        except OSError as error:
            self._report(error)
        else:
            self._failed = False

    def _report(self, error: OSError) -> None:
        if not self._failed:
            log.error("%s cannot be synced to disk: %s", self._path, error.strerror or error)
        self._failed = True


def _sync(path: Path, sync: Callable[[int], None]) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        sync(fd)
    finally:
        os.close(fd)
