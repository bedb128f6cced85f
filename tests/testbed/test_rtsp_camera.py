"""The cameras of the tests themselves: what they promise holds."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice, pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from testbed.bit_flipping_proxy import BitFlippingProxy, frame_data
from testbed.http_cameras import HlsCamera, MjpegCamera, encode_jpegs
from testbed.rtsp_camera import RtspCamera, missing_rtsp_server
from testbed.videos_h264 import Image, clock_frames, clock_video, read_clock

FPS, SECONDS, WH = 25, 4, (384, 216)
CYCLE = FPS * SECONDS
STALL_S = 0.5  # of frames that are then missing
needs_rtsp = pytest.mark.skipif(
    missing_rtsp_server() is not None, reason=str(missing_rtsp_server())
)


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clock_video(tmp_path_factory.mktemp("clock") / "clock.mp4", SECONDS, FPS, WH)


@contextmanager
def watching(url: str) -> Iterator[Iterator[Image]]:
    """The frames of a camera."""
    options = {"rtsp_transport": "tcp"} if url.startswith("rtsp:") else {}
    with av.open(url, timeout=(10, 5), options=options) as container:
        yield map(to_bgr, container.decode(video=0))


def to_bgr(frame: av.VideoFrame) -> Image:
    return np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)


def clocks(frames: Iterator[Image], count: int) -> list[int]:
    """Of the next readable frames."""
    readable = (number for frame in frames if (number := read_clock(frame)) is not None)
    return list(islice(readable, count))


def follow_each_other(numbers: list[int]) -> bool:
    return all((a + 1) % CYCLE == b for a, b in pairwise(numbers))


def misses_some(frames: Iterator[Image], last: int) -> bool:
    """Whether there is a gap soon; what was sent before it may come first."""
    for number in map(read_clock, islice(frames, CYCLE)):
        if number is not None:
            if number != (last + 1) % CYCLE:
                return True
            last = number
    return False


def play_out(frames: Iterator[Image]) -> None:
    """Read the stream to its end, which it never has by itself.

    How many frames wait in the sockets depends on the load of the machine. Whether a cut connection
    is an error depends on the protocol.
    """
    with suppress(av.FFmpegError):
        for _ in frames:
            pass


def is_refused(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.parametrize("bframes", [0, 2])
@pytest.mark.parametrize("wh", [WH, (640, 360)])
def test_a_clock_survives_compression(tmp_path: Path, bframes: int, wh: tuple[int, int]) -> None:
    path = clock_video(tmp_path / "clock.mp4", 2, 10, wh, first=1_000_000, gop=5, bframes=bframes)

    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    assert [read_clock(to_bgr(frame)) for frame in frames] == [1_000_000 + n for n in range(20)]
    assert [frame.time for frame in frames] == pytest.approx([n / 10 for n in range(20)])
    assert [n for n, frame in enumerate(frames) if frame.key_frame] == [0, 5, 10, 15]


def test_a_frame_without_a_clock_has_no_number() -> None:
    frame = next(clock_frames(1, FPS, WH, first=77))
    assert read_clock(frame) == 77
    for level in (0, 128, 255):
        assert read_clock(frame * 0 + level) is None
    assert read_clock(255 - frame) is None
    assert read_clock(frame[50:]) is None


@needs_rtsp
def test_a_client_reads_the_clock_from_the_camera(clock: Path, tmp_path: Path) -> None:
    log = tmp_path / "pushed"
    with RtspCamera(clock, push_log=log) as camera, watching(camera.url) as frames:
        assert follow_each_other(clocks(frames, 10))
        assert camera.clients() == 1
    assert log.read_text().startswith("0 0 ")


@needs_rtsp
def test_a_camera_stalls_and_goes_on_and_hangs_up(clock: Path) -> None:
    with RtspCamera(clock) as camera, watching(camera.url) as frames:
        last = clocks(frames, 3)[-1]
        assert camera.command("stall") == "ok stall"
        time.sleep(STALL_S)
        assert camera.command("resume") == "ok resume"
        assert misses_some(frames, last)
        camera.command("kick")
        camera.wait_for_clients(0)
        play_out(frames)
        with pytest.raises(AssertionError, match="unknown"):
            camera.command("dance")


@needs_rtsp
def test_a_camera_changes_its_frame_size_while_it_runs(clock: Path, tmp_path: Path) -> None:
    other = clock_video(tmp_path / "other.mp4", 2, FPS, (640, 360))
    with RtspCamera(clock) as camera, watching(camera.url) as frames:
        assert next(frames).shape == (216, 384, 3)
        camera.command(f"switch {other}")
        assert any(frame.shape == (360, 640, 3) for frame in islice(frames, 3 * FPS))


@needs_rtsp
def test_a_restarted_camera_has_the_same_port_and_can_want_a_password(clock: Path) -> None:
    with RtspCamera(clock, start=False) as camera:
        url = camera.url
        assert is_refused(camera.port)
        camera.start()
        first = camera.pid
        camera.freeze()
        camera.kill()
        assert is_refused(camera.port)
        camera.restart(user="eve", password="secret")
        assert camera.url == url
        assert camera.pid != first
        with pytest.raises(av.HTTPUnauthorizedError), watching(url):
            pass
        with watching(url.replace("//", "//eve:secret@")) as frames:
            assert clocks(frames, 1)


@needs_rtsp
def test_a_camera_that_cannot_start_says_why() -> None:
    with RtspCamera(Path(__file__), start=False) as camera:
        with pytest.raises(AssertionError, match="cannot read"):
            camera.start()
        assert not camera.running


@needs_rtsp
def test_the_proxy_flips_bits_only_on_request(clock: Path) -> None:
    with RtspCamera(clock) as camera, BitFlippingProxy(camera.url) as proxy:
        assert proxy.url.endswith("/cam")
        with watching(proxy.url) as frames:
            assert follow_each_other(clocks(frames, 20))
            assert proxy.flipped == 0
            proxy.flip_rate = 1.0
            assert len(list(islice(frames, 2 * FPS))) == 2 * FPS  # the stream continues
            assert proxy.flipped >= FPS
            proxy.cut()
            play_out(frames)


def test_the_proxy_leaves_headers_and_parameter_sets_alone() -> None:
    rtp = bytes(12)
    assert frame_data(rtp + bytes([0x65, 1, 2])) == [13, 14]
    assert frame_data(rtp + bytes([0x67, 1, 2])) == []  # SPS
    assert frame_data(rtp + bytes([0x7C, 0x05, 1, 2])) == [14, 15]  # FU-A
    assert frame_data(rtp + bytes([0x78, 0, 2, 0x67, 1, 0, 3, 0x65, 1, 2])) == [20, 21]  # STAP-A
    assert frame_data(bytes([0x90]) + bytes(14) + b"\1" + bytes(4) + b"\x65\1") == [21]


@pytest.mark.parametrize("user", [None, "eve"])
def test_frames_come_from_an_mjpeg_camera(user: str | None) -> None:
    jpegs = encode_jpegs(clock_frames(CYCLE, FPS, WH))
    with MjpegCamera(jpegs, 100, user=user, password="secret") as camera:
        url = camera.url
        if user is not None:
            with pytest.raises(av.HTTPUnauthorizedError), watching(url):
                pass
            url = url.replace("//", "//eve:secret@")
        with watching(url) as frames:
            assert clocks(frames, 30) == list(range(30))
            camera.stall()
            time.sleep(STALL_S)
            camera.resume()
            assert misses_some(frames, 29)
            camera.kick()
            play_out(frames)


def test_frames_come_from_an_hls_camera(clock: Path, tmp_path: Path) -> None:
    with HlsCamera(clock, tmp_path) as camera:
        camera.wait_until_ready()
        with watching(camera.url) as frames:
            assert follow_each_other(clocks(frames, FPS))
