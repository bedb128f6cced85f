"""Decode in a process of its own, so that a file which crashes the decoder costs that file only.

FFmpeg's libraries abort on some malformed files (heap corruption, SIGABRT), which no `except`
catches. Pictures come back through shared memory.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from pipeline.errors import SourceError
from pipeline.runtime.child_process import ChildProcess
from pipeline.sources.file_decoder import DecodedImage, DecodeError, VideoInfo, VideoReader
from pipeline.sources.shared_frames import Filled, NeedSlots, SlotOwner, SlotRing

READ_TIMEOUT_S = 60.0  # a decoder that is silent for longer hangs
LOOK_FOR_STOP_S = 0.25


@dataclass(frozen=True, slots=True)
class _Ended:
    """Child to parent: no more pictures."""

    error: str | None


class DecoderProcess:
    """Context manager: one file, decoded in a child process.

    Args:
        path: the video file.
        read_timeout_s: how long the child may be silent before it is given up.
        child: what runs in the child; a test may give one that crashes.

    Raises:
        SourceError: from `__enter__` and `pictures`; the message does not name the file.
    """

    def __init__(
        self,
        path: Path,
        *,
        read_timeout_s: float = READ_TIMEOUT_S,
        child: Callable[[Connection, Path], None] | None = None,
    ) -> None:
        self._path = path
        self._target = child or decode_into_slots
        self._read_timeout_s = read_timeout_s

    def __enter__(self) -> DecoderProcess:
        self._child = ChildProcess(self._target, self._path, name=f"decode {self._path}")
        self._slots = SlotOwner(self._child.send)
        return self

    def __exit__(self, *error: object) -> None:
        self._child.kill()  # it owns nothing: the slots are ours
        self._slots.release()

    def read_info(self, stop: threading.Event) -> VideoInfo | None:
        """What the container promises; None if `stop` was set meanwhile."""
        message = self._receive(stop)
        if isinstance(message, _Ended):
            raise SourceError(message.error or "it holds no video")
        assert message is None or isinstance(message, VideoInfo)
        return message

    def frames(self, stop: threading.Event) -> Iterator[DecodedImage]:
        """Every picture in order; ends at the end of the file or when `stop` is set."""
        while (message := self._receive(stop)) is not None:
            if isinstance(message, Filled):
                assert isinstance(message.stamp, float)
                yield DecodedImage(message.stamp, self._slots.copy_out(message))
            elif isinstance(message, NeedSlots):
                self._slots.renew(message)
            else:
                assert isinstance(message, _Ended)
                if message.error:
                    raise SourceError(message.error)
                return

    def _receive(self, stop: threading.Event) -> object | None:
        waited_s = 0.0
        try:
            while not self._child.pipe.poll(LOOK_FOR_STOP_S):
                waited_s += LOOK_FOR_STOP_S
                if stop.is_set():
                    return None
                if waited_s >= self._read_timeout_s:
                    raise SourceError(f"the decoder hangs: silent for {waited_s:.0f} s")
            return None if stop.is_set() else self._child.pipe.recv()
        except (EOFError, OSError) as error:
            cause = self._child.cause_of_death()
            raise SourceError(f"the decoder crashed on it ({cause})") from error


def decode_into_slots(pipe: Connection, path: Path) -> None:
    """The child: decode `path`, hand every picture over, say how it ended."""
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):  # the parent is gone: so are we
        pipe.send(_try_to_decode(pipe, path))


def _try_to_decode(pipe: Connection, path: Path) -> _Ended:
    try:
        reader = VideoReader(path)
    except DecodeError as error:
        return _Ended(str(error))
    ring = SlotRing(pipe)
    pipe.send(reader.info)
    try:
        for picture in reader.frames():
            ring.put(picture.image, picture.pts_s)
    except DecodeError as error:
        return _Ended(str(error))
    finally:
        reader.close()
        ring.close()
    return _Ended(None)
