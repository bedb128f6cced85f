"""Locks between processes that the kernel takes back when their holder dies, however it dies."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

_POLL_S = 0.02  # flock has no timeout of its own


class FileLock:
    """An open file that can hold an advisory `flock`; leaving the `with` block closes it.

    The lock belongs to the open file, not to the process: a child that inherits the descriptor
    keeps the lock alive, and two `FileLock`s of one process exclude each other. The file stays.
    """

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def __enter__(self) -> FileLock:
        return self

    def __exit__(self, *error: object) -> None:
        os.close(self._fd)

    def fileno(self) -> int:
        """The descriptor, for a child to inherit."""
        return self._fd

    def try_lock(self, *, shared: bool = False) -> bool:
        """Take the lock, or change it from shared to exclusive, if that is possible at once.

        After a failed change the shared lock may be lost too: flock is not atomic there.
        """
        try:
            fcntl.flock(self._fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def lock(self, *, timeout_s: float) -> bool:
        """Take the lock exclusively; False if others held it for the whole of `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while not self.try_lock():
            if time.monotonic() >= deadline:
                return False
            time.sleep(_POLL_S)
        return True

    def unlock(self) -> None:
        """Release the lock; nothing happens if it was not held."""
        fcntl.flock(self._fd, fcntl.LOCK_UN)
