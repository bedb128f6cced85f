"""Look into SQLite's write-ahead log for commits that SQLite itself passes over.

After a power cut or a flipped bit SQLite reads the log up to the first frame whose checksum does
not match, and silently drops the rest. Format: sqlite.org/fileformat2.html#walformat.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

_HEADER, _FRAME = 32, 24  # bytes
_BIG_ENDIAN_SUMS = 0x377F0683  # magic number; one less: little endian


def unread_commits(database: Path) -> int:
    """Count the commits in the log that SQLite does not read.

    Args:
        database: open, and read from, in this process and in no other.

    Raises:
        OSError: if the files cannot be read.
    """
    log, index = (database.with_name(database.name + suffix) for suffix in ("-wal", "-shm"))
    if not log.exists() or not index.exists():
        return 0
    with index.open("rb") as file:
        valid_frames = int(struct.unpack_from("=I", file.read(20), 16)[0])  # mxFrame
    with log.open("rb") as file:
        header = file.read(_HEADER)
        first = file.read(_FRAME)
        if len(first) < _FRAME:
            return 0
        # Frames of this generation of the log have its salts; those behind them are leftovers.
        is_whole = _is_whole(header)
        salts = header[16:24] if is_whole else first[8:16]
        page = int.from_bytes(header[8:12], "big") if is_whole else 4096
        return _count_commits(file, salts, page, valid_frames)


def _count_commits(file: BinaryIO, salts: bytes, page: int, first: int) -> int:
    count = 0
    file.seek(_HEADER + first * (_FRAME + page))
    while len(frame := file.read(_FRAME + page)) == _FRAME + page:
        size_after_commit = int.from_bytes(frame[4:8], "big")
        count += frame[8:16] == salts and size_after_commit > 0
    return count


def _is_whole(header: bytes) -> bool:
    """Check the header's own checksum over its first 24 bytes."""
    order = ">" if int.from_bytes(header[:4], "big") == _BIG_ENDIAN_SUMS else "<"
    words = struct.unpack(f"{order}6I", header[:24])
    first = second = 0
    for even, odd in zip(words[::2], words[1::2], strict=True):
        first = (first + even + second) & 0xFFFFFFFF
        second = (second + odd + first) & 0xFFFFFFFF
    return (first, second) == struct.unpack(">2I", header[24:32])
