"""Open a live camera with FFmpeg, by the way that its kind needs."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast

import av
import av.error
from av.container import InputContainer

from pipeline.live.camera_messages import OpenStream, StreamError
from pipeline.live.camera_source import CameraSource
from pipeline.live.protocols.http_bodies import MotionJpeg, PolledImages, RecordedFile
from pipeline.live.protocols.http_client import HttpBody, HttpClient
from pipeline.live.protocols.rtsp_relay import RtspRelay
from pipeline.live.protocols.tls import UNVERIFIED, authorities_file
from pipeline.paths import ffmpeg_url
from pipeline.sources.pixel_limit import BYTES_PER_PIXEL, OUT_OF_MEMORY

_PLAYLISTS = ("application/vnd.apple.mpegurl", "application/x-mpegurl", "audio/mpegurl")
_RECORDINGS = re.compile(r"\.(mp4|m4v|mov|mkv|webm|avi|ts|mpg|mpeg|flv)$", re.I)
_HEAD_BYTES = 1 << 14
_WALL_CLOCK = {"use_wallclock_as_timestamps": "1", "analyzeduration": "500000"}


class _File(Protocol):
    """What FFmpeg reads."""

    def read(self, size: int) -> bytes: ...

    def close(self) -> None: ...


@dataclass(slots=True)
class OpenedStream:
    """An open camera."""

    container: InputContainer
    is_paced: bool  # it comes in bursts, and is to be played at its own pace
    is_endless: bool
    relay: RtspRelay | None = None
    file: _File | None = None

    def close(self) -> None:
        """Release the connection."""
        self.container.close()
        if self.file is not None:
            self.file.close()
        if self.relay is not None:
            self.relay.close()

    @property
    def failure(self) -> StreamError | None:
        """Why it ended, if that is known better than FFmpeg knows it."""
        return None if self.relay is None else self.relay.failure


def open_stream(request: OpenStream) -> OpenedStream:
    """Connect to a camera.

    Args:
        request: camera and limits.

    Raises:
        StreamError: if it cannot be opened.
    """
    return _Opening(request).open()


class _Opening:
    """One attempt to open a camera, within the time limits of its request."""

    def __init__(self, request: OpenStream) -> None:
        self._request, self._source = request, request.source
        self._began_at = time.monotonic()

    def open(self) -> OpenedStream:
        ways = {"rtsp": self._rtsp, "http": self._http}
        try:
            return ways.get(self._source.kind, self._other)()
        except (av.error.FFmpegError, OSError) as error:
            limit_s = self._request.open_timeout_s
            if time.monotonic() - self._began_at >= limit_s:  # under whatever name
                raise StreamError.no_answer(limit_s) from error
            raise _opening_failed(error, self._source) from error

    def _rtsp(self) -> OpenedStream:
        relay = RtspRelay(self._source, self._request.open_timeout_s)
        options = {
            "rtsp_transport": self._source.transport,
            # Without a probe the first frame comes after 0.3 s instead of 1.1 s.
            "fpsprobesize": "0",
            "analyzeduration": "200000",
            "allowed_media_types": "video",
            "protocol_whitelist": "rtsp,rtp,tcp,udp",
        }
        try:
            container = self._open(relay.url, options=options)
        except BaseException as error:
            relay.close()
            if relay.failure is not None:
                raise relay.failure from error
            raise
        return OpenedStream(container, is_paced=False, is_endless=True, relay=relay)

    def _http(self) -> OpenedStream:
        request = self._request
        client = HttpClient(self._source, request.open_timeout_s, request.read_timeout_s)
        body = client.get(self._source.url)
        try:
            return self._body(client, body)
        except BaseException:
            body.close()
            raise

    def _body(self, client: HttpClient, body: HttpBody) -> OpenedStream:
        url, media_type = self._source.url, body.media_type
        max_bytes = BYTES_PER_PIXEL * self._request.max_pixels
        path = re.split(r"[?#]", url)[0]
        if media_type in _PLAYLISTS or path.endswith(".m3u8"):
            return self._playlist(client, body)
        file: _File
        if media_type.startswith("multipart/"):
            file = MotionJpeg(body, max_bytes)
        elif media_type.startswith("image/"):
            file = PolledImages(client, url, body, self._request.snapshot_fps, max_bytes)
        elif media_type.startswith("text/"):
            raise StreamError("unreadable", f"it sends a page ({media_type}), no video")
        elif body.length and (media_type.startswith("video/") or _RECORDINGS.search(path)):
            file = RecordedFile(client, url, body)
            container = self._open(file)
            return OpenedStream(container, is_paced=True, is_endless=False, file=file)
        else:
            container = self._open(body, options=_WALL_CLOCK)
            return OpenedStream(container, is_paced=False, is_endless=True, file=body)
        container = self._open(file, "mpjpeg", _WALL_CLOCK)
        return OpenedStream(container, is_paced=False, is_endless=True, file=file)

    def _playlist(self, client: HttpClient, body: HttpBody) -> OpenedStream:
        """Open HLS; FFmpeg gets playlists and segments from the client, and nothing by itself."""
        refused: list[StreamError] = []

        def fetch(url: str, flags: int, options: dict[str, str]) -> HttpBody:
            try:
                if not url.startswith(("http://", "https://")):
                    detail = "its playlist leads to something else than HTTP"
                    raise StreamError("unreadable", detail)
                return client.get(url, _range(options))
            except StreamError as error:  # FFmpeg tries the next segment
                refused.append(error)
                raise

        options = {"live_start_index": "-1", "http_persistent": "0"}
        try:
            container = self._open(body, "hls", options, fetch)
        except (av.error.FFmpegError, OSError, StreamError) as error:
            if refused:
                raise refused[0] from error
            raise
        return OpenedStream(container, is_paced=True, is_endless=True, file=body)

    def _other(self) -> OpenedStream:
        if self._source.kind == "file":
            container = self._open(ffmpeg_url(self._source.url))
            return OpenedStream(container, is_paced=True, is_endless=False)
        if self._source.kind == "webcam":
            container = self._open(self._source.url, "v4l2")
        else:
            options = {"rtmp_live": "live", "analyzeduration": "500000"}
            if self._source.url.startswith("rtmps:"):
                options |= _tls_options(self._source)
            container = self._open(self._source.url, options=options)
        return OpenedStream(container, is_paced=False, is_endless=True)

    def _open(
        self,
        file: str | _File,
        container_format: str | None = None,
        options: dict[str, str] | None = None,
        io_open: Callable[..., HttpBody] | None = None,
    ) -> InputContainer:
        left_s = max(self._request.open_timeout_s - (time.monotonic() - self._began_at), 0.1)
        return av.open(
            cast(str, file),
            mode="r",
            format=container_format,
            options=options or {},
            metadata_errors="ignore",  # names of cameras in Latin-1 or GBK
            timeout=(left_s, self._request.read_timeout_s),
            io_open=io_open,
        )


def _range(options: dict[str, str]) -> dict[str, str]:
    """Return the header for a segment that is a part of a file."""
    start, end = int(options.get("offset", "0") or 0), int(options.get("end_offset", "0") or 0)
    if not start and not end:
        return {}
    return {"Range": f"bytes={start}-{end - 1 if end else ''}"}


def _tls_options(source: CameraSource) -> dict[str, str]:
    if not source.verify_tls:
        return {"tls_verify": "0"}
    # Unlike Python, FFmpeg's libraries know neither the system's authorities nor SSL_CERT_FILE.
    return {"tls_verify": "1", "ca_file": authorities_file()}


def _opening_failed(error: av.error.FFmpegError | OSError, source: CameraSource) -> StreamError:
    # Its text contains the URL with the password; `strerror` does not.
    text = error.strerror or type(error).__name__
    if isinstance(error, av.error.HTTPUnauthorizedError | av.error.HTTPForbiddenError):
        return StreamError("unauthorized", "it refuses user and password")
    if isinstance(error, av.error.HTTPNotFoundError | av.error.FileNotFoundError):
        return StreamError("not_found", "it has no such path")
    if isinstance(error, MemoryError):
        return StreamError("unreadable", OUT_OF_MEMORY)
    if isinstance(error, av.error.InvalidDataError | av.error.DecoderNotFoundError):
        return StreamError("unreadable", f"it sends nothing that can be decoded ({text})")
    if source.verify_tls and source.url.startswith("rtmps:"):
        text += f"; {UNVERIFIED}"
    return StreamError("unreachable", text)
