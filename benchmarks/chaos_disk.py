"""What a power cut and a failing disk leave of the files of a killed process."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from pathlib import Path

from benchmarks.chaos_records import SyncedState
from pipeline.delivery.storage.wal_log import log_of

_PAGE = 4096
_AOF_SYNC_S = 2.0  # with appendfsync everysec, at the latest
_POLL_S = 0.1


def cut_outbox(outbox: Path, synced: SyncedState, rng: random.Random) -> None:
    """Leave of an outbox what its newest sync put on disk, and by chance some of what came later.

    SQLite syncs by itself when it moves the log to the database, and begins the log again with
    other salts: then nothing of the new log is certain.
    """
    log = log_of(outbox)
    outbox.with_name(f"{outbox.name}-shm").unlink(missing_ok=True)
    if not log.exists():
        return
    content = bytearray(log.read_bytes())
    certain = synced.log_bytes if content[16:24] == synced.salts else 0
    certain = min(certain, len(content))
    size = rng.choice([certain, rng.randint(certain, len(content))])
    del content[size:]
    if size - certain > _PAGE and rng.random() < 0.5:  # a page in between was not written
        first = rng.randrange(certain, size - _PAGE)
        content[first : first + _PAGE] = bytes(_PAGE)
    log.write_bytes(content)


def flip_bit(outbox: Path, rng: random.Random) -> str:
    """Flip one bit of an outbox at a random place of its files; returns where."""
    files = [file for file in (outbox, log_of(outbox)) if file.exists()]
    sizes = [file.stat().st_size for file in files]
    if not sum(sizes):
        return "nowhere: it is empty"
    (file,) = rng.choices(files, sizes)
    with file.open("r+b") as opened:
        offset, bit = rng.randrange(file.stat().st_size), rng.randrange(8)
        opened.seek(offset)
        (byte,) = opened.read(1)
        opened.seek(offset)
        opened.write(bytes([byte ^ 1 << bit]))
    return f"{file.name} byte {offset} bit {bit}"


class AppendOnlyFiles:
    """The append-only files of a redis-server, whose sizes are watched from a thread.

    Args:
        folder: of the server.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sizes: dict[Path, deque[tuple[float, int]]] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watch aof", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._stopping.set()
        self._thread.join()

    def cut(self) -> None:
        """Leave what the server had written two seconds ago; it must have been killed just now."""
        certain_at = time.monotonic() - _AOF_SYNC_S
        for path, sizes in list(self._sizes.items()):
            before = [size for at, size in sizes if at <= certain_at]
            if before and path.exists() and path.stat().st_size > before[-1]:
                with path.open("r+b") as file:
                    file.truncate(before[-1])

    def _watch(self) -> None:
        while not self._stopping.wait(_POLL_S):
            now = time.monotonic()
            for path in (*self._folder.glob("*.aof"), *self._folder.glob("*/*.incr.aof")):
                try:
                    size = path.stat().st_size
                except FileNotFoundError:
                    continue
                sizes = self._sizes.setdefault(path, deque(maxlen=100))
                if sizes and size < sizes[-1][1]:
                    sizes.clear()  # rewritten, or cut
                sizes.append((now, size))
