"""Decode a file in a separate process, so that a crash of the decoder affects that file only.

FFmpeg's libraries abort on some malformed files (heap corruption, SIGABRT), which no `except`
catches. Frames are returned through shared memory.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

from pipeline.errors import SourceError
from pipeline.runtime.child_process import ChildProcess
from pipeline.sources.file_decoder import (
    DECODE_DEFAULTS,
    DecodedImage,
    DecodeError,
    DecodeOptions,
    VideoInfo,
    VideoReader,
)
from pipeline.sources.pixel_limit import OUT_OF_MEMORY, limit_memory
from pipeline.sources.shared_frames import Filled, NeedSlots, SlotOwner, SlotRing

READ_TIMEOUT_S = 60.0  # a decoder without a message for longer is considered hung
STOP_POLL_S = 0.25  # how often `stop` is checked while the child is silent


@dataclass(frozen=True, slots=True)
class _Ended:
    """Child to parent: no more frames."""

    error: str | None  # None: the file was decoded to its end
    notes: tuple[str, ...] = ()  # what the user should know of how it was read


class DecoderProcess:
    """Context manager: one file, decoded in a child process.

    Args:
        path: the video file.
        stream: number of its video stream, from 0; None: the longest one.
        options: how it is decoded.
        read_timeout_s: longest wait for a message of the child, seconds.
        child: function that runs in the child; a test may pass one that crashes.

    Raises:
        SourceError: from `read_info` and `frames`; the message does not name the file.
    """

    def __init__(
        self,
        path: Path,
        *,
        stream: int | None = None,
        options: DecodeOptions = DECODE_DEFAULTS,
        read_timeout_s: float = READ_TIMEOUT_S,
        child: Callable[[Connection, Path], None] | None = None,
    ) -> None:
        self._path = path
        self._target = child or partial(decode_into_slots, stream=stream, options=options)
        self._max_pixels = options.max_pixels
        self.notes: tuple[str, ...] = ()  # complete after the last frame
        self._read_timeout_s = read_timeout_s

    def __enter__(self) -> DecoderProcess:
        self._child = ChildProcess(self._target, self._path, name=f"decode {self._path}")
        self._slots = SlotOwner(self._child.send, self._max_pixels)
        return self

    def __exit__(self, *error: object) -> None:
        self._child.kill()  # it owns no resource: the parent owns the slots
        self._slots.release()

    def read_info(self, stop: threading.Event) -> VideoInfo | None:
        """Return what the container declares, or None if `stop` was set meanwhile.

        Raises:
            SourceError: if the file is no readable video, or the decoder crashed or hangs.
        """
        message = self._receive(stop)
        if isinstance(message, _Ended):
            raise SourceError(message.error or "it contains no video")
        assert message is None or isinstance(message, VideoInfo)
        return message

    def frames(self, stop: threading.Event) -> Iterator[DecodedImage]:
        """Yield every frame in order, until the end of the file or until `stop` is set.

        Raises:
            SourceError: if the file is damaged, or the decoder crashed or hangs.
        """
        while (message := self._receive(stop)) is not None:
            if isinstance(message, Filled):
                assert isinstance(message.stamp, float)
                yield DecodedImage(message.stamp, self._slots.copy_out(message))
            elif isinstance(message, NeedSlots):
                self._renew(message)
            else:
                assert isinstance(message, _Ended)
                self.notes = message.notes
                if message.error:
                    raise SourceError(message.error)
                return

    def _renew(self, message: NeedSlots) -> None:
        try:
            self._slots.renew(message)
        except OSError as error:
            text = error.strerror or str(error)
            raise SourceError(f"no shared memory for its frames ({text})") from error

    def _receive(self, stop: threading.Event) -> object | None:
        waited_s = 0.0
        try:
            while not self._child.pipe.poll(STOP_POLL_S):
                waited_s += STOP_POLL_S
                if stop.is_set():
                    return None
                if waited_s >= self._read_timeout_s:
                    raise SourceError(f"the decoder hangs: silent for {waited_s:.0f} s")
            return None if stop.is_set() else self._child.pipe.recv()
        except (EOFError, OSError) as error:
            cause = self._child.cause_of_death()
            raise SourceError(f"the decoder crashed on it ({cause})") from error


def decode_into_slots(
    pipe: Connection, path: Path, *, stream: int | None, options: DecodeOptions
) -> None:
    """Run in the child: decode `path`, send every frame, then report how it ended."""
    limit_memory(options.max_pixels)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):  # the parent ended: end too
        try:
            reader = VideoReader(path, stream=stream, options=options)
        except DecodeError as error:
            pipe.send(_Ended(str(error)))
        else:
            pipe.send(_decode(pipe, reader))


def _decode(pipe: Connection, reader: VideoReader) -> _Ended:
    ring = SlotRing(pipe)
    pipe.send(reader.info)
    try:
        for decoded in reader.frames():
            ring.put(decoded.image, decoded.pts_s)
    except DecodeError as error:
        return _Ended(str(error), reader.notes)
    except MemoryError:
        return _Ended(OUT_OF_MEMORY, reader.notes)
    except OSError as error:  # the file was moved or deleted meanwhile, as recorders do
        return _Ended(f"reading stopped ({error.strerror or error})", reader.notes)
    finally:
        reader.close()
        ring.close()
    return _Ended(None, reader.notes)
