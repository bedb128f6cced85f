"""Keep a source with absurd frames from taking the machine's memory.

A JPEG of 3 MB may be 65535 x 65535 pixels: 12 GB as BGR, and several such buffers at a time.
"""

from __future__ import annotations

import resource
from contextlib import suppress
from pathlib import Path

MAX_PIXELS = 36_000_000  # 8192 x 4320 (DCI 8K), rounded up
BYTES_PER_PIXEL = 3  # BGR
OUT_OF_MEMORY = "its frames need more memory than max_pixels allows"  # of a limited decoder

# What a decoder of one thread holds per pixel of a frame: up to 17 reference frames of 10 bits
# 4:2:0 (3 bytes), four slots of BGR, and the frame being converted and turned.
_DECODER_BYTES_PER_PIXEL = 17 * 3 + 4 * 3 + 12
# Libraries, packets, stacks of threads and the allocator's arenas, beyond what is mapped already.
_OTHER_BYTES = 1 << 30


def too_many_pixels(width: int, height: int, max_pixels: int) -> str | None:
    """Return what to report of frames above the limit; None for others."""
    if width * height <= max_pixels:
        return None
    return f"its frames have {width}x{height} pixels, more than max_pixels ({max_pixels})"


def jpeg_size(jpeg: bytes) -> tuple[int, int]:
    """Return width and height as a JPEG's header declares them; 0, 0 without one."""
    at = 2
    while at + 9 <= len(jpeg) and jpeg[at] == 0xFF:
        marker, length = jpeg[at + 1], int.from_bytes(jpeg[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = jpeg[at + 5 : at + 7], jpeg[at + 7 : at + 9]
            return int.from_bytes(width, "big"), int.from_bytes(height, "big")
        at += 2 + length
    return 0, 0


def limit_memory(max_pixels: int) -> None:
    """Limit the address space of this process, a decoder, to what frames of that size need.

    An allocation beyond it fails in this process instead of taking the memory of the others.
    """
    with suppress(OSError, ValueError, IndexError):  # where the system has no such limit, or less
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        wanted = (
            pages * resource.getpagesize() + _OTHER_BYTES + max_pixels * _DECODER_BYTES_PER_PIXEL
        )
        _, hardest = resource.getrlimit(resource.RLIMIT_AS)
        if hardest == resource.RLIM_INFINITY or wanted < hardest:
            resource.setrlimit(resource.RLIMIT_AS, (wanted, wanted))
