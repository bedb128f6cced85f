"""What HTTP cameras of every kind send is read, and they lead to nobody else."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.live.camera_messages import LiveFrame, OpenStream, StreamError
from pipeline.live.camera_source import parse_source
from pipeline.live.protocols import http_bodies
from pipeline.live.stream_decoder import StreamDecoder
from testbed.http_cameras import encode_jpegs
from testbed.scripted_rtsp import ScriptedRtsp

USER, PASSWORD = "viewer", "s3cr3tPw"
IMAGES = encode_jpegs(
    np.random.default_rng(n).integers(0, 255, (48, 64, 3), np.uint8) for n in range(5)
)
Answer = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def camera(answer: Answer) -> Iterator[str]:
    """Serve one answer on loopback; yields the URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.close_connection = True
            answer(self)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://{USER}:{PASSWORD}@127.0.0.1:{server.server_port}/cam"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def send(handler: BaseHTTPRequestHandler, body: bytes, **headers: str) -> None:
    handler.send_response(int(headers.pop("status", "200")))
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def read(url: str, most: int = 3, open_timeout_s: float = 20.0) -> tuple[int, StreamError | None]:
    """Return how many frames came before there were enough, or before the error."""
    request = OpenStream(parse_source(url, "gate"), open_timeout_s, 20.0, 5.0, snapshot_fps=50.0)
    count = 0
    try:
        decoder = StreamDecoder(request)
        try:
            for item in decoder.frames():
                count += isinstance(item, LiveFrame)
                if count == most:
                    return count, None
        finally:
            decoder.close()
    except StreamError as error:
        assert PASSWORD not in error.detail
        return count, error
    raise AssertionError("it ended without a reason")


def multipart(before: bytes, between: bytes, *, length: bool, declared: str = "frame") -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        kind = f"multipart/x-mixed-replace; boundary={declared}"
        handler.send_header("Content-Type", kind)
        handler.end_headers()
        for number, image in enumerate(IMAGES[:3]):
            time.sleep(0.05)  # their times are those of arrival, in 25ths of a second
            head = b"Content-Type: image/jpeg\r\n"
            head += b"Content-Length: %d\r\n" % len(image) if length else b""
            handler.wfile.write((between if number else before) + head + b"\r\n" + image)
        handler.wfile.write(between)

    return answer


@pytest.mark.parametrize("length", [True, False])
@pytest.mark.parametrize(
    ("before", "between", "declared"),
    [
        (b"--frame\r\n", b"\r\n--frame\r\n", "frame"),
        (b"", b"\r\n--frame\r\n", "frame"),  # the first boundary is behind the first image
        (b"--frame\n", b"\n--frame\n", '"frame"'),
        (b"--other\r\n", b"\r\n--other\r\n", "frame"),
        (b"----frame\r\n", b"\r\n----frame\r\n", "--frame"),
        (b"\r\n\r\n--frame\r\n", b"\r\n\r\n--frame\r\n", "frame"),
    ],
)
def test_motion_jpeg_is_read_wherever_its_boundaries_are(
    before: bytes, between: bytes, declared: str, length: bool
) -> None:
    with camera(multipart(before, between, length=length, declared=declared)) as url:
        assert read(url, 2) == (2, None)


def test_the_url_of_an_image_is_polled() -> None:
    asked: list[str | None] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        asked.append(handler.headers["If-None-Match"])
        if len(asked) == 2:
            handler.send_response(304)
            handler.end_headers()
        else:
            send(handler, IMAGES[len(asked) % 5], Content_Type="image/jpeg", ETag=f'"{len(asked)}"')

    with camera(answer) as url:
        assert read(url, 4) == (4, None)
    assert asked[:4] == [None, '"1"', '"1"', '"3"']


def test_an_image_that_never_changes_goes_down_once_and_stays_down(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http_bodies, "STILL_S", 0.1)
    image = [IMAGES[0]]
    with camera(lambda handler: send(handler, image[0], Content_Type="image/jpeg")) as url:
        frames, first = read(url, 1000)
        assert frames > 0
        again = read(url)
        image[0] = IMAGES[1]
        assert read(url, 1) == (1, None)  # it works again
    assert first is not None and first.reason == "stalled" and "does not change" in first.detail
    assert again[0] == 0 and again[1] is not None and again[1].detail == first.detail


def test_a_recording_is_played_once_at_its_own_pace(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(6):
            frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), "bgr24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with camera(lambda handler: send(handler, path.read_bytes(), Content_Type="video/mp4")) as url:
        decoder = StreamDecoder(OpenStream(parse_source(url, "gate"), 20.0, 20.0, 0.5))
        times = []
        with pytest.raises(StreamError) as caught:
            times += [one.times for one in decoder.frames() if isinstance(one, LiveFrame)]
        decoder.close()
    assert caught.value.reason == "stream_ended"


def test_a_page_is_no_camera() -> None:
    with camera(lambda handler: send(handler, b"<html>", Content_Type="text/html")) as url:
        frames, error = read(url)
    assert frames == 0 and error is not None
    assert (error.reason, error.detail) == ("unreadable", "it sends a page (text/html), no video")


@pytest.mark.parametrize("target", ["http://127.0.0.2:{}/x", "file:///etc/passwd", "concat:a|b"])
def test_a_redirect_away_from_the_camera_is_named_and_not_followed(target: str) -> None:
    with ScriptedRtsp(host="127.0.0.2") as thief:
        location = target.format(thief.port)
        with camera(lambda handler: send(handler, b"", status="302", Location=location)) as url:
            _, error = read(url)
        assert not thief.connections
    assert error is not None and error.reason == "unreachable" and "redirects to" in error.detail


def test_a_redirect_within_the_camera_is_followed_with_the_login() -> None:
    expected = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        if handler.headers["Authorization"] != expected:
            send(handler, b"", status="401", WWW_Authenticate='Basic realm="x"')
        elif handler.path == "/cam":
            send(handler, b"", status="302", Location="/new")
        else:
            send(handler, IMAGES[0], Content_Type="image/jpeg")

    with camera(answer) as url:
        assert read(url, 2) == (2, None)


@pytest.mark.parametrize(
    "line", ["http://127.0.0.2:{}/a.ts", "file:///etc/passwd", "concat:a|b", "rtsp://127.0.0.2:{}/"]
)
def test_a_playlist_leads_to_no_other_host_of_this_network(line: str) -> None:
    with ScriptedRtsp(host="127.0.0.2") as thief:
        lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:1", "#EXTINF:1,", line.format(thief.port), ""]
        body = "\n".join(lines).encode()
        kind = "application/vnd.apple.mpegurl"
        with camera(lambda handler: send(handler, body, Content_Type=kind)) as url:
            frames, error = read(url, open_timeout_s=2.0)
        assert not thief.connections
    assert frames == 0 and error is not None and error.reason == "unreadable"
