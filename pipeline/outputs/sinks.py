"""Sinks of a run that write text: events as JSON lines, tracks in MOTChallenge format.

A sink receives every item of the last stage in order; closing it writes what is buffered. Leaving
its `with` block closes it, also after an error.
"""

from __future__ import annotations

import hashlib
import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Protocol, Self

from pipeline.errors import PipelineError
from pipeline.events import Event, encode_event
from pipeline.outputs.json_lines_file import JsonLinesFile
from pipeline.outputs.output_lock import lock_output
from pipeline.printable import printable
from pipeline.runtime.disk_errors import may_pass
from pipeline.runtime.private_files import open_private
from pipeline.types import DecidedEnd, DecidedFrame, TrackedFrame

_NAME_MAX = 255  # bytes of a file name, on every common file system of Linux and macOS

log = logging.getLogger(__name__)


class Sink(Protocol):
    """Interface of an output of the pipeline."""

    def write(self, item: DecidedFrame | DecidedEnd) -> None:
        """Write the next item.

        Raises:
            PipelineError: if it cannot be written; the message names the output.
        """
        ...

    def close(self) -> None:
        """Write what is buffered and release the output; a second call does nothing."""
        ...


def write_all(
    results: Iterable[DecidedFrame | DecidedEnd], sinks: Sequence[Sink]
) -> Iterator[Event]:
    """Write every result to every sink, in order, then yield its events."""
    for item in results:
        for sink in sinks:
            sink.write(item)
        yield from item.events


class ClosingSink:
    """Base class: leaving the `with` block closes the sink."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the sink; see `Sink.close`."""


class JsonLinesSink(ClosingSink):
    """Write one event per line, as `encode_event` encodes it.

    The events of an item are given to the system before the next item is accepted, so that a
    reader that follows the file sees them immediately and a killed process loses none.

    Args:
        path: the file; its folder is created. Another run that writes it is an error.
        keep: append to an existing file instead of replacing it.
        tolerant: a disk that is full or failing ends nothing; the events that the file lacks
            because of it are counted and logged.

    Attributes:
        disk_error: why the file takes no events now; None while it does.
        missing: events that it lacks.

    Raises:
        PipelineError: if the file cannot be created.
    """

    def __init__(self, path: Path, *, keep: bool = False, tolerant: bool = False) -> None:
        self.disk_error: str | None = None
        self.missing = 0
        self._path, self._keep, self._tolerant = path, keep, tolerant
        self._file: JsonLinesFile | None = None
        with self._tolerating(0):
            self._open()

    def write(self, item: DecidedFrame | DecidedEnd) -> None:
        """Write an item; see `Sink.write`."""
        if not item.events:
            return
        lines = "".join(f"{encode_event(event)}\n" for event in item.events)
        with self._tolerating(len(item.events)):
            self._open().write(lines.encode())
            if self.disk_error is not None:
                log.warning(
                    "%s can be written again; it lacks %d events",
                    printable(str(self._path)),
                    self.missing,
                )
            self.disk_error = None

    def close(self) -> None:
        """Close the sink; see `Sink.close`."""
        if self._file is not None:
            self._file.close()

    def _open(self) -> JsonLinesFile:
        if self._file is None:
            self._file = JsonLinesFile(self._path, keep=self._keep)
        return self._file

    @contextmanager
    def _tolerating(self, events: int) -> Iterator[None]:
        """Name the file in errors of the block; where they are tolerated, count its events."""
        try:
            with writing(self._path):
                yield
        except PipelineError as error:
            if not self._tolerant or not may_pass(error.__cause__):
                raise
            self.missing += events
            if self.disk_error is None:
                log.error("%s; the run goes on, and events are missing in it", error)
            self.disk_error = str(error)


class CameraFilesSink(ClosingSink, ABC):
    """Base class of sinks with a file per camera: one that cannot be written costs itself alone.

    It is logged once, in a line that names the file, and the run continues without it.
    """

    def __init__(self) -> None:
        self.errors: list[str] = []  # one text per file that could not be written
        self._failed: set[str] = set()

    def write(self, item: DecidedFrame | DecidedEnd) -> None:
        """Write an item, unless its camera's file failed before; see `Sink.write`."""
        if item.camera_id in self._failed:
            return
        with self._costing_itself(item.camera_id):
            self._write(item)

    @abstractmethod
    def _write(self, item: DecidedFrame | DecidedEnd) -> None:
        """Write an item.

        Raises:
            PipelineError: if its camera's file cannot be written; the message names the file.
        """

    @contextmanager
    def _costing_itself(self, camera_id: str) -> Iterator[None]:
        try:
            yield
        except PipelineError as error:
            if camera_id in self._failed:  # closing it failed too
                return
            self._failed.add(camera_id)
            self.errors.append(str(error))
            log.error("%s; the run continues without it", error)


class MotTracksSink(CameraFilesSink):
    """Write one MOTChallenge text file per camera, `<camera_id>.txt`, for tracking metrics.

    A line is `frame, id, left, top, width, height, confidence, -1, -1, -1` with a 1-based frame
    number and pixels of the original image (motchallenge.net/instructions). A camera without a
    frame has no file; one without a person has an empty file.

    Args:
        directory: of the files; created with the first one.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self._directory = directory
        self._files: dict[str, IO[bytes]] = {}
        self._opened: dict[str, ExitStack] = {}  # closes the file and its lock

    def _write(self, item: DecidedFrame | DecidedEnd) -> None:
        camera_id = item.camera_id
        if isinstance(item, DecidedEnd):
            if item.end.is_final:
                self._close(camera_id)
            return
        path = self._path(camera_id)
        if camera_id not in self._files:
            opened = self._opened[camera_id] = ExitStack()
            self._files[camera_id] = opened.enter_context(_locked(path))
        with writing(path):
            self._files[camera_id].write(_mot_lines(item.tracked).encode())

    def close(self) -> None:
        """Close the sink; see `Sink.close`."""
        for camera_id in list(self._opened):
            with self._costing_itself(camera_id):
                self._close(camera_id)

    def _close(self, camera_id: str) -> None:
        self._files.pop(camera_id, None)
        if camera_id in self._opened:
            with writing(self._path(camera_id)):
                self._opened.pop(camera_id).close()

    def _path(self, camera_id: str) -> Path:
        return self._directory / file_name(camera_id, ".txt")


def file_name(camera_id: str, suffix: str) -> str:
    """Return a readable file name that is unique per camera id and cannot leave its directory.

    What is too long for a file system is cut, and a hash of the id makes it unique again.

    Args:
        camera_id: any text.
        suffix: with its dot, such as ".txt".
    """
    escaped = camera_id.replace("%", "%25").replace("/", "%2F").replace("\\", "%5C")
    escaped = escaped.replace("\0", "%00")
    encoded = f"{escaped}{suffix}".encode("utf-8", "surrogatepass")
    if len(encoded) <= _NAME_MAX:
        return f"{escaped}{suffix}"
    digest = hashlib.sha256(camera_id.encode("utf-8", "surrogatepass")).hexdigest()
    end = f"-{digest[:12]}{suffix}"
    return encoded[: _NAME_MAX - len(end)].decode("utf-8", "ignore") + end


def is_one_video(target: Path) -> bool:
    """Return whether drawn videos go into one file, `FILE.mp4`, and not into a directory.

    Args:
        target: a file or a directory, which may be missing yet.
    """
    return target.suffix.lower() == ".mp4" and not target.is_dir()


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Convert an OSError in the block to a PipelineError that names the output."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise PipelineError(f"cannot write {printable(str(path))}: {printable(reason)}") from error


@contextmanager
def _locked(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that replaces an existing one, and lock it until the end of the block."""
    with ExitStack() as stack:
        with writing(path):
            lock = lock_output(path)
            if lock is not None:
                stack.enter_context(lock)
            file = stack.enter_context(open_private(path, "wb"))
        yield file


def _mot_lines(tracked: TrackedFrame) -> str:
    return "".join(
        f"{tracked.frame.index + 1},{person.track_id},{x1:.2f},{y1:.2f},{x2 - x1:.2f},"
        f"{y2 - y1:.2f},{person.confidence:.2f},-1,-1,-1\n"
        for person in tracked.people
        for x1, y1, x2, y2 in [person.xyxy.tolist()]
    )
