"""Look into SQLite's write-ahead log for commits that SQLite itself passes over.

After a power cut or a flipped bit SQLite reads the log up to the first frame whose checksum does
not match, and silently drops the rest. `resigned` makes it readable to its end; what is true in it
is then for others to say. Format: sqlite.org/fileformat2.html#walformat.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

_HEADER, _FRAME = 32, 24  # bytes
_PAGE = 4096  # bytes, as SQLite makes them unless told otherwise
_LITTLE_ENDIAN_SUMS, _BIG_ENDIAN_SUMS = 0x377F0682, 0x377F0683  # magic numbers
_VERSION = 3007000


def log_of(database: Path) -> Path:
    """Return the write-ahead log that SQLite keeps beside a database."""
    return database.with_name(f"{database.name}-wal")


def unread_commits(database: Path) -> int:
    """Count the commits in the log that SQLite does not read.

    Args:
        database: open, and read from, in this process and in no other.

    Raises:
        OSError: if the files cannot be read.
    """
    log, index = log_of(database), database.with_name(f"{database.name}-shm")
    if not log.exists() or not index.exists():
        return 0
    with index.open("rb") as file:
        valid_frames = int(struct.unpack_from("=I", file.read(20), 16)[0])  # mxFrame
    frames = list(_frames(log.read_bytes()))
    return sum(is_commit for number, is_commit, _ in frames if number >= valid_frames)


def resigned(log: bytes) -> bytes:
    """Return a log of all frames of the newest generation, with checksums that SQLite accepts."""
    salts, page = _generation(log)
    header = struct.pack(">4I", _LITTLE_ENDIAN_SUMS, _VERSION, page, 0) + salts
    sums = _checksum(header, (0, 0))
    pieces = [header, struct.pack(">2I", *sums)]
    for _, _, frame in _frames(log):
        sums = _checksum(frame[:8], sums)
        sums = _checksum(frame[_FRAME:], sums)
        pieces += [frame[:16], struct.pack(">2I", *sums), frame[_FRAME:]]
    return b"".join(pieces)


def _frames(log: bytes) -> Iterator[tuple[int, bool, bytes]]:
    """Yield the frames of the newest generation: number, whether it ends a commit, and its bytes.

    Frames of this generation have its salts; those behind them are leftovers of an earlier one.
    """
    if len(log) < _HEADER + _FRAME:
        return
    salts, page = _generation(log)
    size = _FRAME + page
    for number in range((len(log) - _HEADER) // size):
        frame = log[_HEADER + number * size :][:size]
        if frame[8:16] == salts:
            yield number, any(frame[4:8]), frame


def _generation(log: bytes) -> tuple[bytes, int]:
    """Return the salts and the bytes of a page; by the first frame if the header is broken."""
    if _is_whole(log[:_HEADER]):
        return log[16:24], int.from_bytes(log[8:12], "big")
    return log[_HEADER + 8 :][:8], _PAGE


def _is_whole(header: bytes) -> bool:
    """Check the header's own checksum over its first 24 bytes."""
    is_big = int.from_bytes(header[:4], "big") == _BIG_ENDIAN_SUMS
    return struct.pack(">2I", *_checksum(header[:24], (0, 0), is_big=is_big)) == header[24:32]


def _checksum(data: bytes, sums: tuple[int, int], *, is_big: bool = False) -> tuple[int, int]:
    words = struct.unpack(f"{'>' if is_big else '<'}{len(data) // 4}I", data)
    first, second = sums
    for even, odd in zip(words[::2], words[1::2], strict=True):
        first = (first + even + second) & 0xFFFFFFFF
        second = (second + odd + first) & 0xFFFFFFFF
    return first, second
