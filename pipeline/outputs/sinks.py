"""Where the end of the pipeline goes: JSON lines and MOTChallenge text files.

The annotated video, a sink too, has its own file. A sink takes every item of the final stream in
order; closing it writes out the rest. Leaving its `with` block closes it, after an error too.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Literal, Protocol, Self

from pipeline.errors import PipelineError
from pipeline.events import encode_event
from pipeline.types import DecidedEnd, DecidedFrame, TrackedFrame


class Sink(Protocol):
    """What the end of the pipeline is written to."""

    def write(self, item: DecidedFrame | DecidedEnd) -> None:
        """Take the next item.

        Raises:
            PipelineError: if it cannot be written; the message says where to.
        """
        ...

    def close(self) -> None:
        """Write out the rest and let go; a second call does nothing."""
        ...


class ClosingSink:
    """A sink's `with` block closes it."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """See `Sink.close`."""


class JsonLinesSink(ClosingSink):
    """One event per line, as `encode_event` writes it; a file that is there is replaced or kept.

    The events of an item are handed to the system before the next item is taken, so that whoever
    follows the file sees them as they happen and a killed process loses none.
    """

    def __init__(self, path: Path, *, keep: bool = False) -> None:
        """Raise PipelineError if the file cannot be made; `keep` writes behind what is there."""
        self._path = path
        self._file = _open(path, "ab" if keep else "wb")

    def write(self, item: DecidedFrame | DecidedEnd) -> None:
        """See `Sink.write`."""
        if item.events:
            lines = "".join(f"{encode_event(event)}\n" for event in item.events)
            with writing(self._path):
                self._file.write(lines.encode())
                self._file.flush()

    def close(self) -> None:
        """See `Sink.close`."""
        with writing(self._path):
            self._file.close()


class MotTracksSink(ClosingSink):
    """One MOTChallenge text file per camera, `<camera_id>.txt`, for tracking metrics.

    A line is `frame, id, left, top, width, height, confidence, -1, -1, -1` with the frame counted
    from 1 and pixels of the original image (motchallenge.net/instructions). A camera without a
    single frame has no file; one in which nobody was seen has an empty one.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._files: dict[str, IO[bytes]] = {}
        self._stack = ExitStack()

    def write(self, item: DecidedFrame | DecidedEnd) -> None:
        """See `Sink.write`."""
        if isinstance(item, DecidedEnd):
            file = self._files.pop(item.camera_id, None)
            if file is not None:
                with writing(self._directory):
                    file.close()
            return
        camera_id = item.camera_id
        path = self._directory / file_name(camera_id, ".txt")
        if camera_id not in self._files:
            self._files[camera_id] = self._stack.enter_context(_open(path, "wb"))
        with writing(path):
            self._files[camera_id].write(_mot_lines(item.tracked).encode())

    def close(self) -> None:
        """See `Sink.close`."""
        self._files.clear()
        with writing(self._directory):
            self._stack.close()


def file_name(camera_id: str, suffix: str) -> str:
    """A file name of its own for every camera id, which stays readable."""
    escaped = camera_id.replace("%", "%25").replace("/", "%2F").replace("\\", "%5C")
    return f"{escaped}{suffix}"


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Say which output could not be written, as an error for the user."""
    try:
        yield
    except OSError as error:
        raise PipelineError(f"cannot write {path}: {error.strerror or error}") from error


def _open(path: Path, mode: Literal["ab", "wb"]) -> IO[bytes]:
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open(mode)


def _mot_lines(tracked: TrackedFrame) -> str:
    return "".join(
        f"{tracked.frame.index + 1},{person.track_id},{x1:.2f},{y1:.2f},{x2 - x1:.2f},"
        f"{y2 - y1:.2f},{person.confidence:.2f},-1,-1,-1\n"
        for person in tracked.people
        for x1, y1, x2, y2 in [person.xyxy.tolist()]
    )
