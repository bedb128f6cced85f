"""Video files as sources of frames: one camera each, every frame, in order."""

from __future__ import annotations

import glob
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count, islice
from pathlib import Path

from pipeline.errors import SourceError
from pipeline.sources.decoder_process import DecoderProcess
from pipeline.sources.file_decoder import VideoInfo
from pipeline.types import Frame, StreamEnd

# Suffixes that a directory is searched for. A file that is named explicitly may have any suffix.
VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".mts", ".m2ts", ".mpg", ".mpeg"}
    | {".wmv", ".flv", ".3gp", ".ogv", ".h264", ".hevc"}
)


@dataclass(frozen=True, slots=True)
class VideoFile:
    """One file to replay as a separate camera."""

    camera_id: str
    path: Path


def find_videos(arguments: Sequence[str]) -> tuple[VideoFile, ...]:
    """Turn files, directories and globs into video files with distinct camera ids.

    A camera id is the file's name without the suffix; equal names get `-2`, `-3` and so on.
    A path that does not exist is kept: reading it raises the error that names it.

    Args:
        arguments: paths of files or directories (searched one level deep), or glob patterns.

    Raises:
        SourceError: if a directory contains no video or no file matches a pattern.
    """
    paths = [path for argument in arguments for path in _expand(argument)]
    videos: dict[str, VideoFile] = {}
    for path in paths:
        names = chain([path.stem], (f"{path.stem}-{n}" for n in count(2)))
        camera_id = next(name for name in names if name not in videos)
        videos[camera_id] = VideoFile(camera_id, path)
    return tuple(videos.values())


def _expand(argument: str) -> list[Path]:
    path = Path(argument)
    if path.is_dir():
        found = sorted(p for p in path.iterdir() if p.suffix.lower() in VIDEO_SUFFIXES)
        if not found:
            raise SourceError(f"{argument}: no video file in this directory")
        return found
    if glob.has_magic(argument) and not path.exists():
        found = [Path(match) for match in sorted(glob.glob(argument, recursive=True))]  # noqa: PTH207
        if not found:
            raise SourceError(f"{argument}: no file matches this pattern")
        return [p for p in found if p.is_file()]
    return [path]


def read_frames(
    video: VideoFile,
    *,
    stop: threading.Event,
    now: Callable[[], float],
    opened: Callable[[str, VideoInfo], None],
) -> Generator[Frame | StreamEnd, None, None]:
    """Yield every frame of a file and then its `StreamEnd`.

    A file that cannot be read, or not completely, raises nothing: its end has reason "failed" and
    an `error` that names the file.

    Args:
        video: the file.
        stop: ends reading early, without an error.
        now: Unix seconds.
        opened: called with the camera id and what the container declares, before the first frame.
    """
    try:
        _check_readable(video.path)
        with DecoderProcess(video.path) as decoder:
            info = decoder.read_info(stop)
            if info is not None:
                opened(video.camera_id, info)
                for index, decoded in enumerate(decoder.frames(stop)):
                    at = now()
                    yield Frame(video.camera_id, index, decoded.pts_s, at, decoded.image, at)
    except SourceError as source_error:
        yield StreamEnd(video.camera_id, "failed", f"{video.path}: {source_error}")
    else:
        yield StreamEnd(video.camera_id, "stopped" if stop.is_set() else "stream_ended")


def _check_readable(path: Path) -> None:
    try:
        if not path.is_file():  # opening a named pipe would wait for its writer
            raise SourceError("not a file" if path.exists() else "no such file")
        with path.open("rb") as file:
            is_empty = not file.read(1)
    except OSError as error:
        raise SourceError(f"cannot be opened ({error.strerror})") from error
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
        if isinstance(head, Frame):
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
