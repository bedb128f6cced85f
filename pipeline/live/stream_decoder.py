"""The adapter to the video library for live streams: connect, drain, decode, drop what is bad.

The camera's process imports it and must start fast: numpy and PyAV only.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

import av
import av.error
from av.video.stream import VideoStream

from pipeline.live.camera_messages import (
    RECOVERY_S,
    FrameTimes,
    LiveFrame,
    OpenStream,
    StreamError,
    StreamInfo,
    StreamStatistics,
)
from pipeline.live.capture_clock import CaptureClock
from pipeline.live.frame_pacing import FramePacer, PlaybackPacer
from pipeline.live.protocols.stream_opening import OpenedStream, open_stream
from pipeline.sources.encoded_video import EncodedPacket, StreamHead
from pipeline.sources.pixel_limit import jpeg_size, too_many_pixels
from pipeline.sources.stream_choice import choose_stream
from pipeline.sources.stream_head import describe_stream
from pipeline.sources.upright import upright_bgr
from pipeline.telemetry.snapshots import DropCause

if TYPE_CHECKING:
    Packet = av.Packet[VideoStream]

LATE_FOR_S = 10.0  # a stream that is late for longer is not expected to catch up
_NO_TIMESTAMPS = 0x80  # FFmpeg: AVFMT_NOTIMESTAMPS, of raw streams
_USUAL_FPS = 25.0
STATISTICS_INTERVAL_S = 0.5  # between two signs of life of the stream
_NOT_COMPRESSED = ("rawvideo",)  # of webcams: a second of it has 15 MB and more

Item = LiveFrame | StreamStatistics | StreamHead | EncodedPacket


class StreamDecoder:
    """One connection to a live camera, open from the constructor on.

    Args:
        request: camera and time limits.

    Raises:
        StreamError: if it cannot be opened.
    """

    def __init__(self, request: OpenStream) -> None:
        self._request, self._source = request, request.source
        self._open()
        self._paced = self._opened.is_paced
        self.info = StreamInfo(self._stream.codec_context.name)
        self._raw_step_s = _raw_step_s(self._opened, self._stream)
        self._clock = CaptureClock()
        self._playback = PlaybackPacer(self._source.speed)
        self._pacer = FramePacer(self._source.detect_fps)
        self._drops: Counter[DropCause] = Counter()
        self._decoded = self._epoch = 0
        self._packet_number, self._head_of = 0, -1  # epoch of the newest head
        self._untimed_key: bytes | None = None
        self._last_pts_s: float | None = None
        # A connection that begins between two key frames begins with frames that need earlier ones.
        self._damaged_at: float | None = time.monotonic()
        self._late_since: float | None = None
        self._sender_asked = False
        self._clock_off_s: float | None = None

    def close(self) -> None:
        """Release the connection."""
        self._opened.close()

    def frames(self) -> Iterator[Item]:
        """Yield the frames to process as they come, and statistics in between.

        Where packets are kept, each one is yielded before its frame, and a head before the first.

        Raises:
            StreamError: when the connection ends; for a file, its end is reason `stream_ended`.
        """
        reported_at = asked_at = time.monotonic()
        for packet in self._packets():
            if time.monotonic() - asked_at >= self._request.read_timeout_s:
                raise self._stalled()  # FFmpeg returns half a packet before it reports the timeout
            pts_s = self._seconds(packet)
            if self._paced and pts_s is not None:
                self._playback.wait(pts_s)
            arrived_s = time.monotonic()
            late = not self._paced and pts_s is not None and self._is_late(pts_s, arrived_s)
            yield from self._encoded(packet, pts_s)
            for frame in self._decode(packet, arrived_s):
                selected = self._select(frame, arrived_s, late)
                if selected is not None:
                    yield selected
            if time.monotonic() - reported_at >= STATISTICS_INTERVAL_S:
                reported_at = time.monotonic()
                yield self.statistics()
            asked_at = time.monotonic()
        yield self.statistics()
        if self._opened.is_endless:
            raise StreamError("disconnected", "it ended the stream")
        raise StreamError("stream_ended", "it is complete")

    def _open(self) -> None:
        """Connect, and prepare the decoder of the stream."""
        self._opened = open_stream(self._request)
        self._container = self._opened.container
        if not self._container.streams.video:
            self.close()
            raise StreamError("unreadable", "it sends no video")
        self._stream: VideoStream = self._container.streams.video[0]
        if self._source.kind == "file":
            try:
                self._stream = choose_stream(self._container, None)
            except ValueError as error:
                self.close()
                raise StreamError("unreadable", str(error)) from error
        self._stream.thread_type = "SLICE"  # each frame thread would delay the stream by a frame
        self._stream.thread_count = 1
        codec = self._stream.codec_context
        self._check_size(codec.width or 0, codec.height or 0)
        codec.options = {"max_pixels": str(self._request.max_pixels)}
        self._raw_packets = self._raw_frames = 0

    def _check_size(self, width: int, height: int) -> None:
        if detail := too_many_pixels(width, height, self._request.max_pixels):
            self.close()
            raise StreamError("unreadable", detail)

    def _packets(self) -> Iterator[Packet]:
        while True:
            try:
                # The last packet is empty: it flushes the decoder.
                yield from self._container.demux(self._stream)
            except MemoryError:
                raise
            except (av.error.FFmpegError, OSError) as error:
                if isinstance(failure := self._failure(error), StreamError):
                    raise failure from error
                return
            if not self._source.loop:
                return
            try:
                self._rewind()
            except av.error.FFmpegError as error:
                raise StreamError("unreadable", "it cannot be played in a loop") from error
            self._playback.again()

    def _rewind(self) -> None:
        if self._raw_step_s is None:
            self._container.seek(0)
            return
        self._opened.close()  # FFmpeg cannot seek in a raw stream
        self._open()

    def _failure(self, error: av.error.FFmpegError | OSError) -> StreamError | None:
        """Return why reading failed; None at the end of the stream."""
        if self._opened.failure is not None:
            return self._opened.failure
        if isinstance(error, av.error.EOFError):
            return None
        if isinstance(error, av.error.ExitError):
            return self._stalled()
        text = error.strerror or "the connection broke"
        if self._source.kind == "http" and not self._opened.is_endless:
            advice = "its server may send no parts of files: download it and `replay` it"
            return StreamError("unreadable", f"a recording that cannot be read ({text}); {advice}")
        return StreamError("disconnected", f"reading failed ({text})")

    def _seconds(self, packet: Packet) -> float | None:
        if packet.pts is not None and packet.time_base is not None:
            return float(packet.pts * packet.time_base)
        if self._raw_step_s is None or not packet.size:
            return None
        self._raw_packets += 1
        return (self._raw_packets - 1) * self._raw_step_s

    def _encoded(self, packet: Packet, pts_s: float | None) -> Iterator[StreamHead | EncodedPacket]:
        is_kept = self._request.keep_packets_s and self.info.codec not in _NOT_COMPRESSED
        if not is_kept or not packet.size:
            return
        data = bytes(packet)
        if pts_s is None:  # RTSP: the first one may come before its clock is known
            self._untimed_key = data if packet.is_keyframe else self._untimed_key
            return
        at_s = self._playback.continued(pts_s) if self._paced else pts_s
        if self._untimed_key is not None:
            yield from self._encoded_at(self._untimed_key, at_s - 1 / _USUAL_FPS, is_key=True)
            self._untimed_key = None
        yield from self._encoded_at(data, at_s, is_key=packet.is_keyframe)

    def _encoded_at(
        self, data: bytes, at_s: float, *, is_key: bool
    ) -> Iterator[StreamHead | EncodedPacket]:
        if is_key and self._head_of != self._epoch:
            try:
                described = describe_stream(self._stream, data)
            except (av.error.FFmpegError, ValueError):
                return  # a damaged packet; the next key frame is tried
            self._head_of = self._epoch
            yield StreamHead(self.info.codec, described, self._epoch)
        if self._head_of == self._epoch:
            yield EncodedPacket(data, at_s, is_key, self._packet_number, self._epoch)
            self._packet_number += 1

    def _is_late(self, pts_s: float, arrived_s: float) -> bool:
        """Return whether the stream is behind its own pace, and count the packet if it is."""
        if self._clock.arrived(pts_s, arrived_s):
            self._epoch += 1
            self._last_pts_s = None
        self._ask_sender()
        delay_s, limit_s = self._clock.delay_s(pts_s, arrived_s), self._request.max_staleness_s
        if self._late_since is None and delay_s > limit_s:
            self._late_since = arrived_s
        elif self._late_since is not None and delay_s < limit_s / 2:
            self._late_since = None
        elif self._late_since is not None and arrived_s - self._late_since > LATE_FOR_S:
            raise StreamError("delayed", f"it was {delay_s:.1f} s behind and did not catch up")
        if self._late_since is not None:
            self._drops["late"] += 1
        return self._late_since is not None

    def _ask_sender(self) -> None:
        """Use the wall clock of the camera's first RTCP sender report, if it is plausible."""
        zero_us = self._container.start_time_realtime
        if self._sender_asked or zero_us is None:
            return
        self._sender_asked = True
        zero_s = zero_us / 1e6 - (time.time() - time.monotonic())
        self._clock_off_s = self._clock.use_sender_clock(zero_s)

    def _decode(self, packet: Packet, arrived_s: float) -> Iterator[av.VideoFrame]:
        try:
            frames = packet.decode()
        except MemoryError:  # FFmpeg's is an FFmpegError too
            raise
        except av.error.FFmpegError:
            if self.info.codec == "mjpeg":  # FFmpeg forgets the size that it refused
                self._check_size(*jpeg_size(bytes(packet)))
            self._damaged_at = arrived_s
            self._drops["corrupt"] += 1
            return
        for frame in frames:
            assert isinstance(frame, av.VideoFrame)
            yield frame

    def _select(self, frame: av.VideoFrame, arrived_s: float, late: bool) -> LiveFrame | None:
        self._decoded += 1
        if self._is_damaged(frame, arrived_s):
            self._drops["corrupt"] += 1
            return None
        if late:  # counted with its packet
            return None
        time_s = frame.time
        if time_s is None and self._raw_step_s is not None:
            time_s = self._raw_frames * self._raw_step_s
            self._raw_frames += 1
        if time_s is None:
            self._drops["untimed"] += 1
            return None
        pts_s = self._playback.continued(time_s) if self._paced else time_s
        if self._paced and self._last_pts_s is not None and pts_s < self._last_pts_s - 1.0:
            self._epoch += 1  # an HLS encoder was restarted
            self._last_pts_s = None
        if self._last_pts_s is not None and pts_s <= self._last_pts_s:
            self._drops["untimed"] += 1
            return None
        self._last_pts_s = pts_s
        if not self._pacer.is_due(pts_s):
            return None
        captured_s = arrived_s if self._paced else self._clock.captured_s(pts_s)
        image = upright_bgr(frame, self._stream.sample_aspect_ratio)
        now_s = time.monotonic()
        times = FrameTimes(pts_s, self._epoch, min(captured_s, now_s), now_s, self._decoded)
        return LiveFrame(image, times)

    def _is_damaged(self, frame: av.VideoFrame, arrived_s: float) -> bool:
        """Return whether the frame is corrupt, or may depend on one that is."""
        if frame.is_corrupt:
            self._damaged_at = arrived_s
        elif self._damaged_at is not None and (
            frame.key_frame or arrived_s - self._damaged_at > RECOVERY_S
        ):
            self._damaged_at = None
        return self._damaged_at is not None

    def _stalled(self) -> StreamError:
        return StreamError.nothing_came(self._request.read_timeout_s)

    def statistics(self) -> StreamStatistics:
        """Return what was dropped since the last call."""
        statistics = StreamStatistics(dict(self._drops), self._clock_off_s)
        self._drops.clear()
        self._clock_off_s = None
        return statistics


def _raw_step_s(opened: OpenedStream, stream: VideoStream) -> float | None:
    """Return the time between two frames of a raw stream, which has no stamps; else None."""
    if not opened.is_paced or not opened.container.format.flags & _NO_TIMESTAMPS:
        return None
    return 1.0 / float(stream.guessed_rate or _USUAL_FPS)
