"""Decode a camera in a private process, which is replaced if it crashes or hangs.

The child always drains the connection: it never waits for the parent, and drops a frame for which
no slot is free. It serves one connection after the other, unless it had to be killed.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection

from pipeline.events import DownReason
from pipeline.live.camera_messages import (
    FrameTimes,
    LiveFrame,
    OpenStream,
    StreamError,
    StreamInfo,
    StreamStatistics,
)
from pipeline.live.packet_ring import PacketRing, SendPackets, StopPackets
from pipeline.live.stream_decoder import StreamDecoder
from pipeline.runtime.child_process import ChildProcess
from pipeline.sources.encoded_video import EncodedPacket, StreamHead
from pipeline.sources.pixel_limit import OUT_OF_MEMORY, limit_memory
from pipeline.sources.shared_frames import Filled, NeedSlots, SlotOwner, SlotRing

TICK_S = 0.1  # between two checks of the parent while no message comes
_START_S = 60.0  # for a process to start and load its libraries on a busy machine
_GRACE_S = 1.0  # beyond FFmpeg's own limits; then the child hangs


@dataclass(frozen=True, slots=True)
class _Begun:
    """Child to parent: the process has started, and its time limits apply from now on."""


@dataclass(frozen=True, slots=True)
class _Ended:
    """Child to parent: the connection has ended; another one may be opened."""

    reason: DownReason
    detail: str


class CameraProcess:
    """The parent's side, for one thread; leaving its `with` block kills the child.

    Args:
        child: function that the child runs; None: `serve_camera`.
    """

    def __init__(self, child: Callable[[Connection], None] | None = None) -> None:
        self._target = child or serve_camera
        self._child: ChildProcess | None = None
        self._slots: SlotOwner | None = None

    def __enter__(self) -> CameraProcess:
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()

    @property
    def pid(self) -> int | None:
        """Process id of the child; None while there is none."""
        return None if self._child is None else self._child.pid

    def kill(self) -> None:
        """Kill the child and release its shared memory."""
        if self._child is not None:
            self._child.kill()
        if self._slots is not None:
            self._slots.release()
        self._child = self._slots = None

    def ask(self, message: SendPackets | StopPackets) -> None:
        """Ask the child of an open connection for packets, which `frames` yields."""
        if self._child is not None:
            self._child.send(message)

    def frames(
        self, request: OpenStream
    ) -> Iterator[StreamInfo | LiveFrame | StreamStatistics | StreamHead | EncodedPacket | None]:
        """Connect and yield what comes; None at intervals while nothing does.

        Raises:
            StreamError: when the connection cannot be made or is over. The limits of the request
                hold even if the child hangs.
        """
        child, slots = self._running(request.max_pixels)
        child.send(request)
        for message in self._messages(child, request):
            if isinstance(message, Filled):
                assert isinstance(message.stamp, FrameTimes)
                yield LiveFrame(slots.copy_out(message), message.stamp)
            elif isinstance(message, NeedSlots):
                self._renew(slots, message)
            elif isinstance(message, _Ended):
                raise StreamError(message.reason, message.detail)
            else:
                assert message is None or isinstance(
                    message, StreamInfo | StreamStatistics | StreamHead | EncodedPacket | _Begun
                )
                yield None if isinstance(message, _Begun) else message

    def _renew(self, slots: SlotOwner, message: NeedSlots) -> None:
        try:
            slots.renew(message)
        except OSError as error:  # too many open files, no memory: an error of this camera alone
            self.kill()
            text = error.strerror or str(error)
            if error.errno == errno.EFBIG:
                raise StreamError("unreadable", text) from error
            raise StreamError("decoder_crashed", f"no shared memory for it ({text})") from error

    def _messages(self, child: ChildProcess, request: OpenStream) -> Iterator[object | None]:
        """Yield the child's messages, and None at intervals until its time limit is over."""
        limit_s, received_at, is_open = _START_S, time.monotonic(), False
        while True:
            try:
                message = child.pipe.recv() if child.pipe.poll(TICK_S) else None
            except (EOFError, OSError):
                cause = child.cause_of_death()
                self.kill()
                raise StreamError("decoder_crashed", f"the decoder died ({cause})") from None
            if message is not None:
                received_at = time.monotonic()
                if isinstance(message, _Begun):
                    limit_s = request.open_timeout_s + _GRACE_S
                elif isinstance(message, StreamInfo):
                    is_open, limit_s = True, request.read_timeout_s + _GRACE_S
            elif time.monotonic() - received_at > limit_s:
                self.kill()
                silent = StreamError.nothing_came if is_open else StreamError.no_answer
                raise silent(limit_s)
            yield message

    def _running(self, max_pixels: int) -> tuple[ChildProcess, SlotOwner]:
        if self._child is None or self._slots is None:
            try:
                self._child = ChildProcess(self._target, name="camera")
            except OSError as error:
                text = error.strerror or str(error)
                raise StreamError("decoder_crashed", f"no process for it ({text})") from error
            self._slots = SlotOwner(self._child.send, max_pixels)
        return self._child, self._slots


def serve_camera(pipe: Connection) -> None:
    """Serve one connection after the other, in the child, until the parent has ended."""
    ring = SlotRing(pipe)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            request = ring.wait_for_other()
            if not isinstance(request, OpenStream):  # of packets, when the connection had ended
                continue
            limit_memory(request.max_pixels)
            pipe.send(_Begun())
            try:
                _serve(pipe, ring, request)
            except StreamError as error:
                pipe.send(_Ended(error.reason, error.detail))


def _serve(pipe: Connection, ring: SlotRing, request: OpenStream) -> None:
    decoder = StreamDecoder(request)
    packets = PacketRing(request.keep_packets_s, request.keep_packets_bytes, pipe.send)

    def answer(message: object) -> None:
        assert isinstance(message, SendPackets | StopPackets)
        packets.handle(message)

    ring.on_other = answer
    try:
        pipe.send(decoder.info)
        size: tuple[int, ...] | None = None
        busy = 0  # frames for which no slot was free
        for item in decoder.frames():
            if isinstance(item, StreamHead | EncodedPacket):
                packets.take(item)
                continue
            if isinstance(item, StreamStatistics):
                ring.take_messages()  # also of a camera of which no frame is selected
                if busy:
                    item.drops["busy"] = item.drops.get("busy", 0) + busy
                    busy = 0
                pipe.send(item)
                continue
            size = _same_size(item.image.shape, size)
            busy += not ring.offer(item.image, item.times)
    except StreamError:
        pipe.send(decoder.statistics())
        raise
    except MemoryError as error:
        raise StreamError("unreadable", OUT_OF_MEMORY) from error
    finally:
        decoder.close()


def _same_size(size: tuple[int, ...], before: tuple[int, ...] | None) -> tuple[int, ...]:
    if before is not None and size != before:
        height, width = size[:2]
        raise StreamError("format_changed", f"its frames are {width}x{height} now")
    return size
