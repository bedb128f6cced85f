"""Cameras over HTTP on loopback: motion JPEG (multipart) and HLS."""

from __future__ import annotations

import base64
import socket
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import cv2
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from testbed.tcp_proxy import end_both_ways
from testbed.videos_h264 import Image

_BOUNDARY = "frame"


def encode_jpegs(images: Iterable[Image], quality: int = 90) -> list[bytes]:
    """Encode BGR images as JPEG files."""
    setting = [cv2.IMWRITE_JPEG_QUALITY, quality]
    return [cv2.imencode(".jpg", image, setting)[1].tobytes() for image in images]


class MjpegCamera:
    """Send each client the frames from the first on, in real time; a context manager."""

    def __init__(
        self,
        jpegs: Sequence[bytes],
        fps: float,
        *,
        user: str | None = None,
        password: str | None = None,
        loop: bool = True,
    ) -> None:
        """Open a port.

        Args:
            jpegs: one file per frame.
            fps: frames per second.
            user: whom to let in; everyone if None, else other clients get status 401.
            password: of the user.
            loop: repeat the frames forever, else end the stream after the last one.
        """
        self._jpegs, self._fps, self._loop = jpegs, fps, loop
        self._expected = None
        if user is not None:
            self._expected = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        self._moves = threading.Event()  # cleared: connections stay open, nothing comes
        self._moves.set()
        self._closing = threading.Event()

        class Handler(_QuietHandler):
            def do_GET(handler) -> None:  # noqa: N805 - self is the camera
                self._answer(handler)

        self._server = _Server(Handler)
        self.port = self._server.port
        self.url = f"http://127.0.0.1:{self.port}/video.mjpg"  # without user and password

    def __enter__(self) -> MjpegCamera:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def stall(self) -> None:
        """Send nothing until `resume`, which continues with the frame due then."""
        self._moves.clear()

    def resume(self) -> None:
        """End a stall."""
        self._moves.set()

    def kick(self) -> None:
        """End all connections; new ones are served."""
        self._server.end_connections()

    def close(self) -> None:
        """End all connections and the server."""
        self._closing.set()
        self._moves.set()
        self._server.close()

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        if self._expected is not None and handler.headers["Authorization"] != self._expected:
            handler.send_response(401)
            handler.send_header("WWW-Authenticate", 'Basic realm="camera"')
            handler.end_headers()
            return
        handler.send_response(200)
        handler.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={_BOUNDARY}")
        handler.end_headers()
        start, number = time.monotonic(), 0
        while self._loop or number < len(self._jpegs):
            if self._closing.wait(max(0.0, start + number / self._fps - time.monotonic())):
                return
            if not self._moves.is_set():
                self._moves.wait()
                number = int((time.monotonic() - start) * self._fps)
                continue
            jpeg = self._jpegs[number % len(self._jpegs)]
            head = f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n"
            handler.wfile.write(f"{head}\r\n".encode() + jpeg + b"\r\n")
            number += 1
        handler.wfile.write(f"--{_BOUNDARY}--\r\n".encode())


class HlsCamera:
    """Play an H.264 file as a live HLS stream, repeated forever; a context manager.

    A segment ends at a key frame, so is never shorter than the file's group of pictures.
    """

    def __init__(self, file: Path, folder: Path, *, segment_s: float = 1.0) -> None:
        """Write segments to a folder, in real time, and serve them."""
        self._file, self._segment_s = file, segment_s
        self._playlist = folder / "live.m3u8"
        self._closing = threading.Event()
        self._server = _Server(partial(_FileHandler, directory=str(folder)))
        self.port = self._server.port
        self.url = f"http://127.0.0.1:{self.port}/{self._playlist.name}"
        self._writer = threading.Thread(target=self._write)
        self._writer.start()

    def __enter__(self) -> HlsCamera:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def wait_until_ready(self, timeout_s: float = 20.0) -> None:
        """Return as soon as there is a segment to play."""
        deadline = time.monotonic() + timeout_s
        while not self._playlist.exists():
            assert time.monotonic() < deadline, "no segment was written"
            time.sleep(0.02)

    def close(self) -> None:
        """End the stream and the server."""
        self._closing.set()
        self._writer.join()
        self._server.close()

    def _write(self) -> None:
        options = {
            "hls_time": str(self._segment_s),
            "hls_list_size": "5",
            "hls_flags": "delete_segments+omit_endlist+temp_file",
        }
        with (
            av.open(str(self._file)) as source,
            av.open(str(self._playlist), "w", format="hls", options=options) as target,
        ):
            stream = target.add_stream_from_template(source.streams.video[0])
            start = time.monotonic()
            for packet in _repeated(source):
                assert packet.dts is not None and packet.time_base is not None
                due = start + float(packet.dts * packet.time_base)
                if self._closing.wait(max(0.0, due - time.monotonic())):
                    return
                packet.stream = stream
                target.mux(packet)


def _repeated(source: InputContainer) -> Iterator[Packet[VideoStream]]:
    """Yield the video's packets forever, the times of each round after those of the one before."""
    begin = 0  # of this round
    while True:
        first, end = None, 0
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is None or packet.pts is None:
                continue
            assert packet.duration, "the file must say how long each frame lasts"
            first = packet.dts if first is None else first
            end = packet.dts + packet.duration - first
            packet.dts += begin - first
            packet.pts += begin - first
            yield packet
        assert end > 0, "no frame in the file"
        begin += end
        source.seek(0)


class _QuietHandler(BaseHTTPRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:
        """Keep the tests' standard error clean."""


class _FileHandler(_QuietHandler, SimpleHTTPRequestHandler):
    """Serve a folder."""


class _Server(ThreadingHTTPServer):
    """Serve in a dedicated thread until `close`, which ends every connection."""

    daemon_threads = False  # close() waits for them

    def __init__(self, handler: object) -> None:
        self._connections: list[socket.socket] = []
        super().__init__(("127.0.0.1", 0), handler)  # type: ignore[arg-type]
        self.port: int = self.server_address[1]
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def get_request(self) -> tuple[socket.socket, object]:
        connection, address = super().get_request()
        self._connections.append(connection)
        return connection, address

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore clients that hang up."""

    def end_connections(self) -> None:
        for connection in self._connections:
            end_both_ways(connection)

    def close(self) -> None:
        self.shutdown()
        self._thread.join()
        self.end_connections()
        self.server_close()
