"""Find out from a container's structure whether the bytes of a file end early, or begin again.

What a header says of durations and frame counts is a hint: segments, cuts and joined files break it
and are complete. The sizes of the boxes, elements and chunks that hold the data are what a reader
needs, and one that reaches beyond the end of the file proves that bytes are missing.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

# The end of each element, which means missing bytes behind the end of the file; and whether a
# second recording begins with it that FFmpeg does not read.
_Ends = Iterator[tuple[int, bool]]

_MOST_ELEMENTS = 5_000_000  # a file of zero-length elements ends too
_UNKNOWN = -1


@dataclass(frozen=True, slots=True)
class ContainerEnd:
    """What the structure of a container says of its end."""

    is_early: bool  # an element reaches beyond the end of the file
    has_another: bool  # a second file stands behind the first (`cat a.mp4 b.mp4`)


def check_end(path: Path) -> ContainerEnd:
    """Follow the elements of a container to its end.

    A second file behind the first one is reported for MP4, MOV, FLV and ASF, of which FFmpeg reads
    the first alone; in the others it reads all.

    Knows MP4 and MOV, Matroska and WebM, AVI, FLV, ASF (WMV) and Ogg. Formats without a structure
    (MPEG-TS, MPEG-PS, raw streams), and what does not follow the rules of its format, such as zeros
    that a recorder wrote in advance, count as complete.

    Raises:
        OSError: if the file cannot be read.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        walk = _walker(file.read(16))
        file.seek(0)
        has_another = False
        for end, begins_again in islice(walk(file) if walk else (), _MOST_ELEMENTS):
            has_another = has_another or begins_again
            if end > size:
                return ContainerEnd(is_early=True, has_another=has_another)
    return ContainerEnd(is_early=False, has_another=has_another)


def _walker(head: bytes) -> Callable[[BinaryIO], _Ends] | None:
    if head[4:8] in {b"ftyp", b"moov", b"mdat", b"moof", b"styp", b"free", b"skip", b"wide"}:
        return _mp4_ends
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return _matroska_ends
    if head.startswith(b"RIFF"):
        return _riff_ends
    if head.startswith(b"FLV"):
        return _flv_ends
    if head.startswith(_ASF_HEADER):
        return _asf_ends
    if head.startswith(b"OggS"):
        return _ogg_ends
    return None


def _is_code(code: bytes) -> bool:
    return len(code) == 4 and all(0x20 <= letter < 0x7F or letter == 0xA9 for letter in code)


def _mp4_ends(file: BinaryIO) -> _Ends:
    """ISO/IEC 14496-12: 32-bit size, type; size 1: a 64-bit size follows; size 0: to the end."""
    at = 0
    had_type = had_index = had_type_again = False
    while len(head := file.read(16)) >= 8:
        size, code = struct.unpack_from(">I4s", head)
        if size == 1 and len(head) == 16:
            (size,) = struct.unpack_from(">Q", head, 8)
        if size < 8 or not _is_code(code):
            return
        had_type_again = had_type_again or (had_type and code == b"ftyp")
        yield at + size, had_type_again and had_index and code == b"moov"
        had_type, had_index = had_type or code == b"ftyp", had_index or code == b"moov"
        at += size
        file.seek(at)


_SEGMENT, _CLUSTER = 0x18538067, 0x1F43B675


def _matroska_ends(file: BinaryIO) -> _Ends:
    """RFC 8794: id, size, data; a Segment or Cluster that was streamed has an unknown size."""
    at = 0
    while True:
        file.seek(at)
        head = file.read(12)
        element, id_bytes = _variable_int(head, keep_marker=True)
        size, size_bytes = _variable_int(head[id_bytes:], keep_marker=False)
        if not id_bytes or id_bytes > 4 or not size_bytes:
            return
        at += id_bytes + size_bytes
        if size != _UNKNOWN:
            at += size
            yield at, False
        elif element not in {_SEGMENT, _CLUSTER}:
            return


def _variable_int(data: bytes, *, keep_marker: bool) -> tuple[int, int]:
    """Return value and length in bytes; a length of 0: there is none."""
    if not data or not data[0]:
        return 0, 0
    length = 9 - data[0].bit_length()
    if len(data) < length:
        return 0, 0
    value = int.from_bytes(data[:length])
    if keep_marker:
        return value, length
    value &= (1 << 7 * length) - 1
    return (_UNKNOWN if value == (1 << 7 * length) - 1 else value), length


def _riff_ends(file: BinaryIO) -> _Ends:
    """AVI: the size of `RIFF` itself is often wrong, that of the lists and chunks in it is not."""
    at = 0
    while len(head := file.read(8)) == 8:
        code, size = struct.unpack("<4sI", head)
        if not _is_code(code):
            return
        # The list with the frames has size 0 while it is recorded: its frames are chunks then.
        into = code == b"RIFF" or (code == b"LIST" and not size)
        if not into:
            yield at + 8 + size, False
        at += 12 if into else 8 + size + size % 2
        file.seek(at)


def _flv_ends(file: BinaryIO) -> _Ends:
    """Adobe FLV 10.1: tags of type, 24-bit size and 7 more bytes, each before its own length."""
    at = int.from_bytes(file.read(9)[5:]) + 4
    while True:
        file.seek(at)
        head = file.read(9)
        if head.startswith(b"FLV"):
            yield at, True
            at += int.from_bytes(head[5:]) + 4
            continue
        if len(head) < 4 or head[0] & 0x1F not in {8, 9, 18}:
            return
        at += 11 + int.from_bytes(head[1:4])
        yield at, False
        at += 4


_ASF_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")


def _asf_ends(file: BinaryIO) -> _Ends:
    """ASF objects: a GUID and a 64-bit size; a broadcast's states less than its own header."""
    at = 0
    while len(head := file.read(24)) == 24:
        (size,) = struct.unpack_from("<Q", head, 16)
        if size < 24:
            return
        yield at + size, at > 0 and head.startswith(_ASF_HEADER)
        at += size
        file.seek(at)


def _ogg_ends(file: BinaryIO) -> _Ends:
    """RFC 3533: pages of a 27-byte header, a table of segment lengths, and the segments."""
    at = 0
    while len(head := file.read(27)) == 27 and head.startswith(b"OggS"):
        lengths = file.read(head[26])
        if len(lengths) < head[26]:
            yield at + 27 + head[26], False
        at += 27 + head[26] + sum(lengths)
        yield at, False
        file.seek(at)
