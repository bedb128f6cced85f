"""Decode in a process of its own, so that a file which crashes the decoder costs that file only.

FFmpeg's libraries abort on some malformed files (heap corruption, SIGABRT), which no `except`
catches. Pictures come back through shared memory: the parent owns a ring of slots, the child
fills a slot and says so on a pipe, the parent copies it out and gives the slot back.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

import numpy as np

from pipeline.decoder import DecodeError, Picture, VideoInfo, VideoReader
from pipeline.errors import SourceError

SLOTS = 4  # pictures under way; enough to decode on while the parent copies
READ_TIMEOUT_S = 60.0  # a decoder that is silent for longer hangs
LOOK_FOR_STOP_S = 0.25


@dataclass(frozen=True, slots=True)
class _Filled:
    """Child to parent: this slot holds a picture of this shape."""

    slot: int
    shape: tuple[int, ...]
    pts_s: float


@dataclass(frozen=True, slots=True)
class _NeedSlots:
    """Child to parent: the next picture has this many bytes; nothing is under way."""

    picture_bytes: int


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
        self._memory: SharedMemory | None = None

    def __enter__(self) -> DecoderProcess:
        context = get_context("spawn")
        self._pipe, child_pipe = context.Pipe()
        self._child = context.Process(
            target=self._target, args=(child_pipe, self._path), name=f"decode {self._path}"
        )
        # The child inherits the mask: a Ctrl-C of the terminal is ours to handle, not its. Starting
        # the tracker of shared memory unblocks both signals, so it must not happen in between.
        resource_tracker.ensure_running()
        inherited = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        try:
            self._child.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, inherited)
        child_pipe.close()
        return self

    def __exit__(self, *error: object) -> None:
        self._pipe.close()
        self._child.kill()  # it owns nothing: the slots are ours
        self._child.join()
        self._child.close()
        self._release_slots()

    def read_info(self, stop: threading.Event) -> VideoInfo | None:
        """What the container promises; None if `stop` was set meanwhile."""
        message = self._receive(stop)
        if isinstance(message, _Ended):
            raise SourceError(message.error or "it holds no video")
        assert message is None or isinstance(message, VideoInfo)
        return message

    def pictures(self, stop: threading.Event) -> Iterator[Picture]:
        """Every picture in order; ends at the end of the file or when `stop` is set."""
        while (message := self._receive(stop)) is not None:
            if isinstance(message, _Filled):
                yield self._copy_out(message)
            elif isinstance(message, _NeedSlots):
                self._renew_slots(message.picture_bytes)
            else:
                assert isinstance(message, _Ended)
                if message.error:
                    raise SourceError(message.error)
                return

    def _receive(self, stop: threading.Event) -> object | None:
        waited_s = 0.0
        try:
            while not self._pipe.poll(LOOK_FOR_STOP_S):
                waited_s += LOOK_FOR_STOP_S
                if stop.is_set():
                    return None
                if waited_s >= self._read_timeout_s:
                    raise SourceError(f"the decoder hangs: silent for {waited_s:.0f} s")
            return None if stop.is_set() else self._pipe.recv()
        except (EOFError, OSError) as error:
            raise SourceError(self._cause_of_death()) from error

    def _cause_of_death(self) -> str:
        self._child.join()
        code = self._child.exitcode or 0
        cause = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        if code == -signal.SIGBUS:
            cause += ": /dev/shm is full, in a container give it more with --shm-size"
        return f"the decoder crashed on it ({cause})"

    def _copy_out(self, filled: _Filled) -> Picture:
        assert self._memory is not None
        slot_bytes = self._memory.size // SLOTS
        view = np.ndarray(filled.shape, np.uint8, self._memory.buf, offset=filled.slot * slot_bytes)
        assert view.nbytes <= slot_bytes
        image = view.copy()
        self._tell(filled.slot)
        return Picture(filled.pts_s, image)

    def _renew_slots(self, picture_bytes: int) -> None:
        self._release_slots()
        self._memory = SharedMemory(create=True, size=SLOTS * picture_bytes)
        self._tell(self._memory.name)

    def _tell(self, message: object) -> None:
        with suppress(OSError):  # the child has ended already: its `_Ended` or its death is next
            self._pipe.send(message)

    def _release_slots(self) -> None:
        if self._memory is not None:
            self._memory.close()
            self._memory.unlink()
            self._memory = None


def decode_into_slots(pipe: Connection, path: Path) -> None:
    """The child: decode `path`, hand every picture over, say how it ended."""
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):  # the parent is gone: so are we
        pipe.send(_try_to_decode(pipe, path))


def _try_to_decode(pipe: Connection, path: Path) -> _Ended:
    try:
        reader = VideoReader(path)
    except DecodeError as error:
        return _Ended(str(error))
    ring = _SlotRing(pipe)
    pipe.send(reader.info)
    try:
        for picture in reader.pictures():
            ring.put(picture)
    except DecodeError as error:
        return _Ended(str(error))
    finally:
        reader.close()
        ring.close()
    return _Ended(None)


class _SlotRing:
    """The child's side of the shared slots."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._memory: SharedMemory | None = None
        self._slot_bytes = 0
        self._free: list[int] = []

    def put(self, picture: Picture) -> None:
        """Copy a picture into a free slot, waiting for one, and announce it."""
        image = picture.image
        if image.nbytes > self._slot_bytes:
            self._ask_for_slots(image.nbytes)
        assert self._memory is not None
        slot = self._free.pop() if self._free else self._wait_for_slot()
        offset = slot * self._slot_bytes
        np.ndarray(image.shape, np.uint8, self._memory.buf, offset=offset)[:] = image
        self._pipe.send(_Filled(slot, image.shape, picture.pts_s))

    def close(self) -> None:
        """Let go of the memory; the parent unlinks it."""
        if self._memory is not None:
            self._memory.close()
            self._memory = None

    def _wait_for_slot(self) -> int:
        slot = self._pipe.recv()
        assert isinstance(slot, int)
        return slot

    def _ask_for_slots(self, picture_bytes: int) -> None:
        while self._memory is not None and len(self._free) < SLOTS:
            self._free.append(self._wait_for_slot())
        self.close()
        self._pipe.send(_NeedSlots(picture_bytes))
        self._memory = SharedMemory(name=self._pipe.recv())
        self._slot_bytes = picture_bytes
        self._free = list(range(SLOTS))
