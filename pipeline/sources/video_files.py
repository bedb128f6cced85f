"""Video files as sources of frames: one camera each, every frame, in order."""

from __future__ import annotations

import logging
import stat
import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from pipeline.errors import SourceError
from pipeline.printable import printable
from pipeline.sources.decoder_process import DecoderProcess
from pipeline.sources.file_decoder import DECODE_DEFAULTS, DecodeOptions, VideoInfo
from pipeline.types import Frame, StreamEnd

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class VideoFile:
    """One file to replay as a separate camera."""

    camera_id: str
    path: Path
    stream: int | None = None  # number of its video stream, from 0; None: the longest one


def read_frames(
    video: VideoFile,
    *,
    stop: threading.Event,
    now: Callable[[], float],
    opened: Callable[[str, VideoInfo], None],
    options: DecodeOptions = DECODE_DEFAULTS,
) -> Generator[Frame | StreamEnd, None, None]:
    """Yield every frame of a file and then its `StreamEnd`; log what was odd about the file.

    A file that cannot be read, or not completely, raises nothing: its end has reason "failed" and
    an `error` that names the file.

    Args:
        video: the file.
        stop: ends reading early, without an error.
        now: Unix seconds.
        opened: called with the camera id and what the container declares, before the first frame.
        options: how it is decoded.
    """
    try:
        _check_readable(video.path)
        with DecoderProcess(video.path, stream=video.stream, options=options) as decoder:
            info = decoder.read_info(stop)
            if info is not None:
                opened(video.camera_id, info)
                for index, decoded in enumerate(decoder.frames(stop)):
                    at = now()
                    yield Frame(video.camera_id, index, decoded.pts_s, at, decoded.image, at)
                if decoder.notes:
                    log.warning("%s: %s", printable(str(video.path)), "; ".join(decoder.notes))
    except SourceError as source_error:
        error = printable(f"{video.path}: {source_error}")
        yield StreamEnd(video.camera_id, "failed", error)
    else:
        yield StreamEnd(video.camera_id, "stopped" if stop.is_set() else "stream_ended")


def _check_readable(path: Path) -> None:
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # opening a named pipe would wait for its writer
            raise SourceError("not a file")
        with path.open("rb") as file:
            is_empty = not file.read(1)
    except FileNotFoundError as error:
        raise SourceError("no such file") from error
    except OSError as error:  # also of a symbolic link that leads to itself
        raise SourceError(f"cannot be opened ({error.strerror})") from error
    except ValueError as error:  # a zero byte, which a label file may hold
        raise SourceError(f"not a path ({error})") from error
    if is_empty:
        raise SourceError("the file is empty")


def merge_by_time(
    cameras: Iterator[Iterator[Frame | StreamEnd]], *, max_concurrent_files: int
) -> Iterator[Frame | StreamEnd]:
    """Interleave several files by media time, always in the same order.

    The frame with the smallest `pts_s` is next; of equal ones that of the earlier camera. A
    `StreamEnd` immediately follows its last frame. The order depends on the files alone, not on
    the speed of their decoders, which makes a replay repeatable.

    Args:
        cameras: one iterator per file, created (and so opened) only when its turn comes.
        max_concurrent_files: number of files open at the same time; when one ends, the next opens.
    """
    heads: dict[int, tuple[Frame | StreamEnd, Iterator[Frame | StreamEnd]]] = {}
    waiting = enumerate(cameras)

    def advance(number: int, camera: Iterator[Frame | StreamEnd]) -> None:
        for head in islice(camera, 1):  # a cancelled channel ends without a StreamEnd
            heads[number] = head, camera

    while True:
        for number, camera in islice(waiting, max_concurrent_files - len(heads)):
            advance(number, camera)
        if not heads:
            return
        first = min(heads, key=lambda number: (_pts_s(heads[number][0]), number))
        head, camera = heads.pop(first)
        yield head
        if isinstance(head, Frame) or not head.is_final:
            advance(first, camera)


def _pts_s(item: Frame | StreamEnd) -> float:
    return item.pts_s if isinstance(item, Frame) else float("-inf")


def in_batches(items: Iterator[Frame | StreamEnd], size: int) -> Iterator[list[Frame | StreamEnd]]:
    """Yield lists of `size` items; the last one may be shorter."""
    batch: list[Frame | StreamEnd] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
