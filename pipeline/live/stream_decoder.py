"""The border to the video library for live streams: connect, drain, decode, leave out what is bad.

It is imported by the camera's process, which should start fast: numpy and PyAV only.
"""

from __future__ import annotations

import ssl
import time
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

import av
import av.error
import certifi
from av.container import InputContainer
from av.video.stream import VideoStream

from pipeline.live.camera_messages import (
    MENDED_S,
    FrameTimes,
    LiveFrame,
    OpenStream,
    StreamError,
    StreamInfo,
    StreamStatistics,
)
from pipeline.live.camera_source import CameraSource
from pipeline.live.capture_clock import CaptureClock
from pipeline.live.frame_pacing import Metronome, OwnPace
from pipeline.sources.file_decoder import upright_bgr
from pipeline.telemetry.snapshots import DropCause

if TYPE_CHECKING:
    Packet = av.Packet[VideoStream]

# A stream that stays behind for so long does not catch up any more.
LATE_FOR_S = 10.0
NEWS_S = 0.5  # how often is told that the stream lives, if no picture tells it


class StreamDecoder:
    """One connection to a live camera.

    Args:
        request: camera and time limits.

    Raises:
        StreamError: if it cannot be opened.
    """

    def __init__(self, request: OpenStream) -> None:
        self._request, self._source = request, request.source
        self._paced = _is_paced(self._source)
        began_at = time.monotonic()
        try:
            self._container = self._open()
        except (av.error.FFmpegError, OSError) as error:
            if time.monotonic() - began_at >= request.open_timeout_s:  # under whatever name
                detail = f"no answer within {request.open_timeout_s:g} s"
                raise StreamError("unreachable", detail) from error
            raise _opening_failed(error, self._source) from error
        if not self._container.streams.video:
            self._container.close()
            raise StreamError("unreadable", "it sends no video")
        self._stream: VideoStream = self._container.streams.video[0]
        self._stream.thread_type = "SLICE"  # frame threads would each hold a picture back
        self._stream.thread_count = 1
        codec = self._stream.codec_context
        self.info = StreamInfo(codec.name)
        self._clock = CaptureClock()
        self._pace = OwnPace(self._source.speed)
        self._metronome = Metronome(self._source.detect_fps)
        self._drops: Counter[DropCause] = Counter()
        self._decoded = self._epoch = 0
        self._last_pts_s: float | None = None
        # Who joins between two key frames is given pictures that build on what was before.
        self._damaged_at: float | None = time.monotonic()
        self._late_since: float | None = None
        self._sender_asked = False
        self._clock_off_s: float | None = None

    def close(self) -> None:
        """Release the connection."""
        self._container.close()

    def frames(self) -> Iterator[LiveFrame | StreamStatistics]:
        """Everything that is to be looked at, as it comes, and news in between.

        Raises:
            StreamError: when the connection ends; for a file, its end is reason `stream_ended`.
        """
        news_at = asked_at = time.monotonic()
        for packet in self._packets():
            if time.monotonic() - asked_at >= self._request.read_timeout_s:
                raise self._stalled()  # FFmpeg gives away half a packet before it says so
            pts_s = _seconds(packet)
            if self._paced and pts_s is not None:
                self._pace.wait(pts_s)
            arrived_s = time.monotonic()
            late = not self._paced and pts_s is not None and self._is_late(pts_s, arrived_s)
            for frame in self._decode(packet, arrived_s):
                picture = self._picture(frame, arrived_s, late)
                if picture is not None:
                    yield picture
            if time.monotonic() - news_at >= NEWS_S:
                news_at = time.monotonic()
                yield self.news()
            asked_at = time.monotonic()
        yield self.news()
        if self._source.is_endless:
            raise StreamError("disconnected", "it ended the stream")
        raise StreamError("stream_ended", "it is complete")

    def _open(self) -> InputContainer:
        request = self._request
        container_format, options = _options(self._source)
        container = av.open(
            self._source.url,
            format=container_format,
            options=options,
            timeout=(request.open_timeout_s, request.read_timeout_s),
        )
        assert isinstance(container, InputContainer)
        return container

    def _packets(self) -> Iterator[Packet]:
        while True:
            try:
                # The last one is empty and asks for what the decoder holds back.
                yield from self._container.demux(self._stream)
            except av.error.ExitError as error:
                raise self._stalled() from error
            except (av.error.FFmpegError, OSError) as error:
                if isinstance(error, av.error.EOFError):
                    return
                text = error.strerror or "the connection broke"
                raise StreamError("disconnected", f"reading failed ({text})") from error
            if not self._source.loop:
                return
            try:
                self._container.seek(0)
            except av.error.FFmpegError as error:
                raise StreamError("unreadable", "it cannot be played in a loop") from error
            self._pace.again()

    def _is_late(self, pts_s: float, arrived_s: float) -> bool:
        """Measure how far the stream is behind its own pace."""
        if self._clock.arrived(pts_s, arrived_s):
            self._epoch += 1
            self._last_pts_s = None
        self._ask_sender()
        held_up_s, limit_s = self._clock.held_up_s(pts_s, arrived_s), self._request.max_staleness_s
        if self._late_since is None and held_up_s > limit_s:
            self._late_since = arrived_s
        elif self._late_since is not None and held_up_s < limit_s / 2:
            self._late_since = None
        elif self._late_since is not None and arrived_s - self._late_since > LATE_FOR_S:
            raise StreamError("delayed", f"it was {held_up_s:.1f} s behind and did not catch up")
        if self._late_since is not None:
            self._drops["late"] += 1
        return self._late_since is not None

    def _ask_sender(self) -> None:
        """Use the wall clock of the camera's first RTCP sender report, if it can be right."""
        zero_us = self._container.start_time_realtime
        if self._sender_asked or zero_us is None:
            return
        self._sender_asked = True
        zero_s = zero_us / 1e6 - (time.time() - time.monotonic())
        self._clock_off_s = self._clock.told_by_sender(zero_s)

    def _decode(self, packet: Packet, arrived_s: float) -> Iterator[av.VideoFrame]:
        try:
            frames = packet.decode()
        except av.error.FFmpegError:
            self._damaged_at = arrived_s
            self._drops["corrupt"] += 1
            return
        for frame in frames:
            assert isinstance(frame, av.VideoFrame)
            yield frame

    def _picture(self, frame: av.VideoFrame, arrived_s: float, late: bool) -> LiveFrame | None:
        self._decoded += 1
        if self._is_damaged(frame, arrived_s):
            self._drops["corrupt"] += 1
            return None
        if late:  # counted with its packet
            return None
        if frame.time is None:
            self._drops["untimed"] += 1
            return None
        pts_s = self._pace.continued(frame.time) if self._paced else frame.time
        if self._paced and self._last_pts_s is not None and pts_s < self._last_pts_s - 1.0:
            self._epoch += 1  # an HLS encoder was started anew
            self._last_pts_s = None
        if self._last_pts_s is not None and pts_s <= self._last_pts_s:
            self._drops["untimed"] += 1
            return None
        self._last_pts_s = pts_s
        if not self._metronome.is_due(pts_s):
            return None
        captured_s = arrived_s if self._paced else self._clock.captured_s(pts_s)
        image = upright_bgr(frame)
        now_s = time.monotonic()
        times = FrameTimes(pts_s, self._epoch, min(captured_s, now_s), now_s, self._decoded)
        return LiveFrame(image, times)

    def _is_damaged(self, frame: av.VideoFrame, arrived_s: float) -> bool:
        """Whether this picture is, or builds on, one that could not be decoded as it was sent."""
        if frame.is_corrupt:
            self._damaged_at = arrived_s
        elif self._damaged_at is not None and (
            frame.key_frame or arrived_s - self._damaged_at > MENDED_S
        ):
            self._damaged_at = None
        return self._damaged_at is not None

    def _stalled(self) -> StreamError:
        return StreamError("stalled", f"nothing came for {self._request.read_timeout_s:g} s")

    def news(self) -> StreamStatistics:
        """What was left out since the last time."""
        news = StreamStatistics(dict(self._drops), self._clock_off_s)
        self._drops.clear()
        self._clock_off_s = None
        return news


def _seconds(packet: Packet) -> float | None:
    if packet.pts is None or packet.time_base is None:
        return None
    return float(packet.pts * packet.time_base)


def _is_paced(source: CameraSource) -> bool:
    """Whether it comes in pieces, or as fast as it is read, and we play it at its own pace."""
    return source.kind == "file" or (source.kind == "http" and ".m3u8" in source.url)


def _options(source: CameraSource) -> tuple[str | None, dict[str, str]]:
    """Container format and FFmpeg's options (ffmpeg-protocols, ffmpeg-formats)."""
    tls = _tls_options(source) if source.url.startswith(("rtsps:", "https:", "rtmps:")) else {}
    if source.kind == "rtsp":
        # Without a probe the first picture comes after 0.3 s and not after 1.1.
        fast = {"fpsprobesize": "0", "analyzeduration": "200000"}
        video_only = {"allowed_media_types": "video"}
        return None, {"rtsp_transport": source.transport, **fast, **video_only, **tls}
    if source.kind == "webcam":
        return "v4l2", {}
    if source.kind == "http" and ".m3u8" in source.url:
        return None, {"live_start_index": "-1", **tls}
    if source.kind == "http":  # an MJPEG stream has no time stamps
        return None, {"use_wallclock_as_timestamps": "1", "analyzeduration": "500000", **tls}
    if source.kind == "rtmp":
        return None, {"rtmp_live": "live", "analyzeduration": "500000", **tls}
    return None, {}


def _tls_options(source: CameraSource) -> dict[str, str]:
    if not source.verify_tls:
        return {"tls_verify": "0"}
    # FFmpeg's libraries do not know where this system keeps its authorities, or the one whose file
    # SSL_CERT_FILE names; Python's do.
    authorities = ssl.get_default_verify_paths().cafile or certifi.where()
    return {"tls_verify": "1", "ca_file": authorities}


def _opening_failed(error: av.error.FFmpegError | OSError, source: CameraSource) -> StreamError:
    # Its text has the URL in it, with the password; the system's part of it has not.
    text = error.strerror or type(error).__name__
    if isinstance(error, av.error.HTTPUnauthorizedError | av.error.HTTPForbiddenError):
        return StreamError("unauthorized", "it refuses user and password")
    if isinstance(error, av.error.HTTPNotFoundError | av.error.FileNotFoundError):
        return StreamError("not_found", "it has no such path")
    if isinstance(error, av.error.InvalidDataError | av.error.DecoderNotFoundError):
        return StreamError("unreadable", f"it sends nothing that can be decoded ({text})")
    if source.verify_tls and source.url.startswith(("rtsps:", "https:", "rtmps:")):
        text += "; if its certificate is its own: verify_tls: false, or SSL_CERT_FILE=its file"
    return StreamError("unreachable", text)
