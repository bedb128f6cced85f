"""H.264 files as cameras send them, and frames that carry their own number."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]  # (H, W, 3) BGR

_TIME_BASE = Fraction(1, 90_000)
_BLOCKS = 32  # across the whole width: 20 of the number, 12 of its checksum
_NUMBER_BITS = 20  # at 25 frames per second enough for 11 hours
_SMALLEST_BLOCK = 12  # pixels


def encode_h264(
    path: Path,
    images: Iterable[Image],
    fps: float,
    *,
    gop: int | None = None,
    bframes: int = 0,
    kbps: int | None = None,
) -> Path:
    """Write frames at a constant rate, all of the size of the first one.

    Args:
        path: the suffix selects the container.
        images: BGR, both sides even.
        fps: the file's frame n has the time n / fps.
        gop: frames from one key frame to the next; those of one second when None.
        bframes: number of B-frames between two other frames; they arrive out of order.
        kbps: constant bit rate; constant quality when None.
    """
    gop = max(1, round(fps)) if gop is None else gop
    rate = Fraction(fps).limit_denominator(1001)
    options = {"preset": "veryfast", "bf": str(bframes), "sc_threshold": "0"}
    options |= {"b_strategy": "0"} if bframes else {}
    if kbps is None:
        options["crf"] = "23"
    else:
        options |= dict.fromkeys(("b", "maxrate", "bufsize"), f"{kbps}k")
        options["nal-hrd"] = "cbr"  # padded where the frames need less
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options=options)
        stream.pix_fmt = "yuv420p"
        stream.time_base = stream.codec_context.time_base = _TIME_BASE
        stream.codec_context.gop_size = gop
        for number, image in enumerate(images):
            if number == 0:
                stream.height, stream.width = image.shape[:2]
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts, frame.time_base = round(number / rate / _TIME_BASE), _TIME_BASE
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def clock_video(
    path: Path,
    seconds: float,
    fps: float,
    wh: tuple[int, int] = (640, 360),
    *,
    first: int = 0,
    gop: int | None = None,
    bframes: int = 0,
    kbps: int | None = None,
) -> Path:
    """Write a video of `clock_frames`: `read_clock` of frame n returns `first` + n."""
    images = clock_frames(round(seconds * fps), fps, wh, first=first)
    return encode_h264(path, images, fps, gop=gop, bframes=bframes, kbps=kbps)


def clock_frames(
    count: int, fps: float, wh: tuple[int, int] = (640, 360), *, first: int = 0
) -> Iterator[Image]:
    """Yield moving frames with their number as a bar code on top, and number and time as text."""
    width, height = wh
    across, down = np.meshgrid(np.arange(width), np.arange(height))
    for number in range(first, first + count):
        shade = ((across + 2 * down + 4 * number) // 2 % 160 + 48).astype(np.uint8)
        image = np.repeat(shade[:, :, None], 3, axis=2)
        left = number * 6 % max(1, width - 64)
        image[height // 2 : height // 2 + 64, left : left + 64] = (40, 60, 200)
        draw_clock(image, number)
        text = f"{number}  {number / fps:.2f} s"
        at = (8, height - 12)
        cv2.putText(image, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.8, (255, 255, 255), 2)
        yield image


def draw_clock(image: Image, number: int) -> None:
    """Draw the bar code of a number over the top rows of an image."""
    width = image.shape[1]
    side = width // _BLOCKS
    assert side >= _SMALLEST_BLOCK, f"a clock is at least {_BLOCKS * _SMALLEST_BLOCK} pixels wide"
    for block, bit in enumerate(_code(number)):
        begin, end = block * width // _BLOCKS, (block + 1) * width // _BLOCKS
        image[:side, begin:end] = 255 * bit


def read_clock(image: Image) -> int | None:
    """Return the number in the bar code, also of a scaled image; None if unreadable."""
    width = image.shape[1]
    side = width / _BLOCKS
    rows = image[round(side * 0.3) : max(1, round(side * 0.7))]
    bits = []
    for block in range(_BLOCKS):
        middle = rows[:, round((block + 0.3) * side) : max(1, round((block + 0.7) * side))]
        level = float(middle.mean()) if middle.size else 128.0
        if 80 < level < 176:
            return None
        bits.append(int(level > 128))
    number = int("".join(map(str, bits[:_NUMBER_BITS])), 2)
    return number if bits == _code(number) else None


def _code(number: int) -> list[int]:
    """Return number and checksum, highest bits first; all black or all white is no code."""
    assert 0 <= number < 1 << _NUMBER_BITS
    checksum_bits = _BLOCKS - _NUMBER_BITS
    checksum = zlib.crc32(number.to_bytes(4, "big")) & ((1 << checksum_bits) - 1)
    text = f"{number:0{_NUMBER_BITS}b}{checksum:0{checksum_bits}b}"
    return [int(bit) for bit in text]
