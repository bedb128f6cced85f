"""Locks between processes, which the kernel releases when their holder ends for any reason."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from pipeline.runtime.private_files import create_private_file

_POLL_S = 0.02  # flock has no timeout


class FileLock:
    """An open file that can hold an advisory `flock`; leaving the `with` block closes it.

    The lock belongs to the open file, not to the process: a child that inherits the descriptor
    keeps the lock alive, and two `FileLock`s of one process exclude each other. The file stays.
    """

    def __init__(self, path: Path) -> None:
        create_private_file(path)
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def __enter__(self) -> FileLock:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file, and so release the lock."""
        os.close(self._fd)

    def fileno(self) -> int:
        """Return the descriptor, for a child to inherit."""
        return self._fd

    def try_lock(self, *, shared: bool = False) -> bool:
        """Acquire the lock, or convert it from shared to exclusive, without waiting.

        After a failed conversion the shared lock may be lost too: flock is not atomic there.

        Args:
            shared: acquire it together with other shared holders.

        Returns:
            False if another holder prevents it.
        """
        try:
            fcntl.flock(self._fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def lock(self, *, timeout_s: float) -> bool:
        """Acquire the lock exclusively.

        Args:
            timeout_s: longest wait, seconds.

        Returns:
            False if others held the lock for the whole time.
        """
        deadline = time.monotonic() + timeout_s
        while not self.try_lock():
            if time.monotonic() >= deadline:
                return False
            time.sleep(_POLL_S)
        return True

    def unlock(self) -> None:
        """Release the lock; do nothing if it is not held."""
        fcntl.flock(self._fd, fcntl.LOCK_UN)

    def holder(self) -> int | None:
        """Return a process that holds the lock; None where the system does not say."""
        inode = os.fstat(self._fd).st_ino
        try:
            lines = Path("/proc/locks").read_text().splitlines()
        except OSError:
            return None
        for line in lines:  # "1: FLOCK  ADVISORY  WRITE 4711 08:01:131 0 EOF"
            match line.split():
                case [_, "FLOCK", _, _, pid, where, *_] if where.endswith(f":{inode}"):
                    return int(pid)
        return None
