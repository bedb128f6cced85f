"""Read one live camera forever: connect, deliver its frames, detect its loss, reconnect.

    connecting --first frame--> up --loss--> (max_gap_s) --> down --first frame--> up

A loss that lasts no longer than `max_gap_s` is only a gap in the video. A longer one ends the
camera's tracks and open actions with a `StreamEnd` that has the reason; the reader keeps trying.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Generator, Iterator
from typing import Protocol

from pipeline.events import DownReason
from pipeline.live.camera_messages import (
    RECOVERY_S,
    LiveFrame,
    OpenStream,
    StreamError,
    StreamInfo,
    StreamStatistics,
)
from pipeline.live.camera_process import CameraProcess
from pipeline.live.camera_source import CameraSource
from pipeline.live.packet_feed import PacketFeed
from pipeline.runtime.backoff import next_pause_s
from pipeline.sources.encoded_video import EncodedPacket, StreamHead
from pipeline.telemetry.run_status import RunStatus
from pipeline.types import Frame, StreamEnd

SHORT_LIVES = 3  # from then on a camera is reported up only once it is steady
STEADY_S = 5.0  # a connection that lasted for longer is not part of a series of failures

log = logging.getLogger(__name__)


class CameraTimeouts(Protocol):
    """Limits of a live camera; the section `live` of the configuration has them."""

    @property
    def open_timeout_s(self) -> float:
        """Longest wait for an answer."""
        ...

    @property
    def read_timeout_s(self) -> float:
        """Longest time without a packet."""
        ...

    @property
    def max_staleness_s(self) -> float:
        """Longest delay behind the stream's own pace."""
        ...

    @property
    def max_pixels(self) -> int:
        """Most pixels of a frame."""
        ...

    @property
    def snapshot_fps(self) -> float:
        """Requests per second for single images."""
        ...

    @property
    def reconnect_first_s(self) -> float:
        """Pause before the second attempt in a row."""
        ...

    @property
    def reconnect_longest_s(self) -> float:
        """Longest pause between two attempts."""
        ...


class CameraReader:
    """Read one camera, from the first attempt to the end of the run.

    Args:
        source: the camera.
        timeouts: its time limits.
        max_gap_s: a longer loss of the stream ends the camera's tracks and actions, seconds.
        status: gets the camera's state, frames and drops.
        stop: ends the reader within a second.
        now: Unix seconds.
        process: decodes the camera; None: a new one.
        feed: gets its encoded video while a clip is cut; None: no clips.
    """

    def __init__(
        self,
        source: CameraSource,
        timeouts: CameraTimeouts,
        max_gap_s: float,
        status: RunStatus,
        stop: threading.Event,
        now: Callable[[], float] = time.time,
        process: CameraProcess | None = None,
        feed: PacketFeed | None = None,
    ) -> None:
        self._feed = feed or PacketFeed(0.0, 0, 0)
        self._source, self._timeouts, self._status = source, timeouts, status
        self._max_gap_s, self._stop, self._now = max_gap_s, stop, now
        self._process = process or CameraProcess()
        self._timeline = _Timeline()
        self._wh: tuple[int, int] | None = None
        self._seen_at: float | None = None  # monotonic seconds: its newest frame
        self._stream_ended = False
        self._loss: StreamError | None = None  # since its newest frame
        self._frames = 0  # decoded
        self._pause_s = 0.0
        self._short_lives = 0  # connections in a row that brought frames and then ended early
        self._tried_at = 0.0  # begin of this connection, monotonic
        self._frames_before = 0  # decoded before it

    def frames(self) -> Generator[Frame | StreamEnd, None, None]:
        """Yield its frames, a `StreamEnd` with `at` per outage, and one without at the end."""
        name = self._source.camera_id
        request = OpenStream(
            self._source,
            self._timeouts.open_timeout_s,
            self._timeouts.read_timeout_s,
            self._timeouts.max_staleness_s,
            self._timeouts.max_pixels,
            self._timeouts.snapshot_fps,
            self._feed.keep_s,
            self._feed.keep_bytes,
        )
        reason: DownReason = "stopped"
        with self._process:
            while not self._stop.is_set():
                try:
                    yield from self._connection(request)
                except StreamError as loss:
                    if loss.reason == "stream_ended":
                        reason = loss.reason
                        break
                    yield from self._pause(loss)
        self._status.set_state(name, "down", reason)
        log.info("camera %s: %s", name, reason.replace("_", " "))
        yield StreamEnd(name, reason)

    def _connection(self, request: OpenStream) -> Iterator[Frame | StreamEnd]:
        self._timeline.new_connection()
        self._feed.new_connection()
        info: StreamInfo | None = None
        self._frames_before = self._frames
        self._tried_at = intact_at = time.monotonic()
        for item in self._process.frames(request):
            if self._stop.is_set():
                return
            if isinstance(item, StreamInfo):
                info, intact_at = item, time.monotonic()  # the decoder's start does not count
            elif isinstance(item, StreamStatistics):
                self._record(item)
            elif isinstance(item, LiveFrame):
                intact_at = time.monotonic()
                self._frames = self._frames_before + item.times.decoded
                yield from self._deliver(item, info)
            elif isinstance(item, StreamHead | EncodedPacket):
                self._feed.received(item, self._timeline.shift_s(item.part))
            self._ask_for_packets()
            yield from self._end_if_lost()
            if info is not None and time.monotonic() - intact_at > self._blind_limit_s():
                # It sends, but no frame of it can be used.
                self._process.kill()
                raise StreamError("unreadable", f"no intact frame for {self._blind_limit_s():g} s")

    def _ask_for_packets(self) -> None:
        if self._timeline.epoch is None:
            return
        for message in self._feed.requests(self._timeline.epoch, self._timeline.newest_shift_s):
            self._process.ask(message)

    def _blind_limit_s(self) -> float:
        fps = self._source.detect_fps
        return RECOVERY_S + self._timeouts.read_timeout_s + (0.0 if fps is None else 2.0 / fps)

    def _deliver(self, item: LiveFrame, info: StreamInfo | None) -> Iterator[Frame | StreamEnd]:
        if self._is_on_probation():
            return
        name = self._source.camera_id
        height, width = item.image.shape[:2]
        if self._wh is not None and self._wh != (width, height) and not self._stream_ended:
            detail = f"its frames are {width}x{height} now"
            log.warning("camera %s: %s; its tracks and actions end here", name, detail)
            yield self._end(StreamError("format_changed", detail))
        self._wh = width, height
        pts_s = self._timeline.place(item.times.pts_s, item.times.epoch, item.times.captured_s)
        if self._status.set_state(name, "up"):
            codec = "video" if info is None else info.codec
            log.info("camera %s is up: %s %dx%d", name, codec, width, height)
        self._seen_at, self._stream_ended, self._loss = time.monotonic(), False, None
        self._status.arrived(name, self._wh)
        # For every frame: the wall clock may have been set since the last one.
        wall_s = self._now() - time.monotonic()
        times = item.times
        yield Frame(
            name,
            self._frames - 1,
            pts_s,
            wall_s + times.captured_s,
            item.image,
            wall_s + times.decoded_s,
        )

    def _is_on_probation(self) -> bool:
        """Return whether a camera that came and went several times has yet to prove steady.

        It would otherwise be reported up and down with every attempt, forever.
        """
        lasted_s = time.monotonic() - self._tried_at
        return self._stream_ended and self._short_lives >= SHORT_LIVES and lasted_s < STEADY_S

    def _record(self, statistics: StreamStatistics) -> None:
        name = self._source.camera_id
        for cause, count in statistics.drops.items():
            self._status.dropped(name, cause, count)
        if statistics.clock_off_s is not None:
            log.warning(
                "camera %s: its clock is off by %.1f s and not used: events carry the time at "
                "which its frames arrived",
                name,
                statistics.clock_off_s,
            )

    def _pause(self, loss: StreamError) -> Iterator[StreamEnd]:
        """Wait before the next attempt; not at all after a steady connection."""
        name = self._source.camera_id
        self._loss = loss
        lasted_s = time.monotonic() - self._tried_at
        if lasted_s > STEADY_S:
            self._short_lives = 0
        elif self._frames > self._frames_before:
            self._short_lives += 1
        if self._seen_at is None:  # it has never been up
            yield from self._down(loss)
        elif self._stream_ended and self._status.set_state(name, "down", loss.reason, loss.detail):
            log.warning("camera %s is still down: %s (%s)", name, loss.detail, loss.reason)
        was_steady = self._seen_at is not None and lasted_s > STEADY_S and not self._stream_ended
        if was_steady:
            self._pause_s = 0.0
            return
        self._pause_s = next_pause_s(
            self._pause_s,
            first_s=self._timeouts.reconnect_first_s,
            longest_s=self._timeouts.reconnect_longest_s,
        )
        again_at = time.monotonic() + self._pause_s
        while (left_s := again_at - time.monotonic()) > 0 and not self._stop.wait(min(left_s, 0.1)):
            yield from self._end_if_lost()

    def _end_if_lost(self) -> Iterator[StreamEnd]:
        """End the stream once a loss has lasted for longer than `max_gap_s`."""
        if self._stream_ended or self._loss is None or self._seen_at is None:
            return
        if time.monotonic() - self._seen_at > self._max_gap_s:
            yield from self._down(self._loss)

    def _down(self, loss: StreamError) -> Iterator[StreamEnd]:
        if self._status.set_state(self._source.camera_id, "down", loss.reason, loss.detail):
            log.warning(
                "camera %s is down: %s (%s); it is tried again until it is up",
                self._source.camera_id,
                loss.detail,
                loss.reason,
            )
        if not self._stream_ended:
            yield self._end(loss)

    def _end(self, loss: StreamError) -> StreamEnd:
        self._stream_ended = True
        return StreamEnd(self._source.camera_id, loss.reason, loss.detail, self._now())


class _Timeline:
    """Media time of a camera across its connections: seconds since its first frame.

    Within a connection it follows the camera's own timestamps, because clips are sampled by them. A
    new connection, or a jump of the camera's clock, is placed by the monotonic clock.
    """

    def __init__(self) -> None:
        self._zero_s: float | None = None  # monotonic
        self.newest_shift_s = 0.0  # from the stream's clock to media time
        self.epoch: int | None = None  # of the newest frame; None: no frame of this connection yet
        self._newest_s = -1.0

    def new_connection(self) -> None:
        self.epoch = None

    def shift_s(self, epoch: int) -> float | None:
        """Return what to add to a time of the stream; None before its first frame."""
        return self.newest_shift_s if epoch == self.epoch else None

    def place(self, pts_s: float, epoch: int, captured_s: float) -> float:
        if self._zero_s is None:
            self._zero_s = captured_s
        if epoch != self.epoch:
            self.epoch = epoch
            at_s = max(captured_s - self._zero_s, self._newest_s + 0.001)
            self.newest_shift_s = max(at_s, 0.0) - pts_s
        self._newest_s = pts_s + self.newest_shift_s
        return self._newest_s
