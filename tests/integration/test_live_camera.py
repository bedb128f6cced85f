"""One camera, a real RTSP server, and the failures of the connection."""

from __future__ import annotations

import errno
import logging
import os
import signal
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.live.camera_source import parse_source
from pipeline.sources.shared_frames import NeedSlots, SlotOwner
from testbed.bit_flipping_proxy import BitFlippingProxy
from testbed.certificates import make_certificate
from testbed.http_cameras import HlsCamera, MjpegCamera, encode_jpegs
from testbed.rtsp_camera import RtspCamera, missing_rtsp_server
from testbed.videos_h264 import clock_frames, clock_video, read_clock
from testbed.watched_camera import TIMEOUTS, WatchedCamera

pytestmark = pytest.mark.skipif(
    missing_rtsp_server() is not None, reason=str(missing_rtsp_server())
)
FPS, SECONDS, WH = 25, 8, (384, 216)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a clock, and one of another size."""
    folder = tmp_path_factory.mktemp("clocks")
    clock_video(folder / "clock.mp4", SECONDS, FPS, WH)
    clock_video(folder / "larger.mp4", SECONDS, FPS, (640, 360))
    return folder


@pytest.fixture
def server(videos: Path) -> Iterator[RtspCamera]:
    with RtspCamera(videos / "clock.mp4") as server:
        yield server


def test_frames_come_in_order_and_at_their_own_times(server: RtspCamera) -> None:
    with WatchedCamera(server.url) as watched:
        watched.wait_for_frames(30)
        frames = watched.frames
    numbers = [read_clock(frame.image) for frame in frames]
    assert None not in numbers
    steps = np.diff([number or 0 for number in numbers]) % (FPS * SECONDS)
    assert np.mean(steps == 1) > 0.9  # a busy machine may drop one
    assert np.diff([frame.pts_s for frame in frames]) == pytest.approx(steps / FPS, abs=0.002)
    assert (frames[0].index, frames[0].pts_s, frames[0].wh) == (frames[1].index - 1, 0.0, WH)


def test_the_time_of_capture_is_when_the_camera_sent_the_frame(
    videos: Path, tmp_path: Path
) -> None:
    """By RTCP sender reports, which come after seconds; the server's log is the ground truth."""
    log = tmp_path / "pushed"
    with RtspCamera(videos / "clock.mp4", push_log=log) as server, WatchedCamera(server.url) as it:
        it.wait_until(lambda: len(it.frames) > 8 * FPS)
        newest = it.frames[-FPS:]
    to_unix = time.time() - time.monotonic()
    pushed = [line.split() for line in log.read_text().splitlines()]
    errors = []
    for frame in newest:
        number = read_clock(frame.image)
        sent = [float(at) + to_unix for index, _, at in pushed if int(index) == number]
        errors.append(min((frame.captured_at - at for at in sent), key=abs))
    assert np.abs(np.median(errors)) < 0.05


def test_a_server_that_dies_and_comes_back_is_watched_again(server: RtspCamera) -> None:
    with WatchedCamera(server.url) as watched:
        watched.wait_for_frames(5)
        server.kill()
        watched.wait_for_end("unreachable")
        before = watched.frames[-1]
        server.restart()
        watched.wait_for_frames(5)
        after = watched.frames
    assert [end.reason for end in watched.ends] == ["unreachable", "stopped"]
    assert watched.camera.connects == 2
    indices, times = [f.index for f in after], [f.pts_s for f in after]
    assert indices == sorted(set(indices))
    assert times == sorted(set(times))
    gap_s = next(f.pts_s for f in after if f.index > before.index) - before.pts_s
    assert gap_s > TIMEOUTS.max_gap_s  # no clip spans it


def test_a_camera_that_hangs_is_noticed_and_found_again(server: RtspCamera) -> None:
    with WatchedCamera(server.url) as watched:
        watched.wait_for_frames(5)
        server.freeze()
        end = watched.wait_for_end("stalled")
        server.thaw()
        watched.wait_for_frames(5)
    assert end.error == "nothing came for 2 s"


def test_a_camera_that_hangs_while_it_is_asked_is_unreachable(server: RtspCamera) -> None:
    server.freeze()
    with WatchedCamera(server.url) as watched:
        end = watched.wait_for_end("unreachable")
        assert "no answer" in (end.error or "")
        server.thaw()
        watched.wait_for_frames(5)


def test_a_camera_that_stops_sending_but_answers_is_noticed(server: RtspCamera) -> None:
    with WatchedCamera(server.url) as watched:
        watched.wait_for_frames(5)
        server.command("stall")
        watched.wait_for_end("stalled")
        server.command("resume")
        watched.wait_for_frames(5)


def test_a_brief_loss_of_the_camera_is_a_gap_and_no_outage(server: RtspCamera) -> None:
    timeouts = replace(TIMEOUTS, max_gap_s=10.0)
    with WatchedCamera(server.url, timeouts) as watched:
        watched.wait_for_frames(5)
        server.command("kick")
        watched.wait_for_frames(30)
        assert watched.ends == []
        assert watched.camera.state == "up"
        assert max(np.diff([frame.pts_s for frame in watched.frames])) > 2 / FPS


def test_a_port_that_opens_later_is_found(videos: Path) -> None:
    with (
        RtspCamera(videos / "clock.mp4", start=False) as server,
        WatchedCamera(server.url) as watched,
    ):
        watched.wait_for_end("unreachable")
        server.start()
        watched.wait_for_frames(3)


def test_a_wrong_path_is_named(server: RtspCamera) -> None:
    with WatchedCamera(server.url.replace("/cam", "/other")) as watched:
        watched.wait_for_end("not_found")
        server.restart(path="/other")
        watched.wait_for_frames(3)


def test_a_wrong_password_is_named_and_never_shown(
    videos: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with RtspCamera(videos / "clock.mp4", user="viewer", password="right") as server:
        source = parse_source(server.url, "cam", username="viewer", password="hunter2")
        with WatchedCamera(source) as watched:
            end = watched.wait_for_end("unauthorized")
            server.restart(password="hunter2")
            watched.wait_for_frames(3)
    assert end.error == "it refuses user and password"
    assert "hunter2" not in caplog.text + repr(watched.camera) + repr(source)


def test_an_error_is_logged_once_and_not_per_try(
    videos: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with RtspCamera(videos / "clock.mp4", start=False) as server:
        with WatchedCamera(server.url) as watched:
            watched.wait_for_end("unreachable")
            server.start()
            watched.wait_for_frames(3)
            server.kill()
            watched.wait_until(lambda: len(watched.ends) == 2)
        lines = [record.getMessage() for record in caplog.records]
    assert [line.split(":")[0] for line in lines if "camera cam" in line] == [
        "camera cam is down",
        "camera cam is up",
        "camera cam is down",
        "camera cam",
    ]


@pytest.mark.parametrize("command", ["switch", "swap"])
def test_a_camera_that_changes_its_resolution_is_opened_again(
    server: RtspCamera, videos: Path, command: str
) -> None:
    with WatchedCamera(server.url) as watched:
        watched.wait_for_frames(5)
        server.command(f"{command} {videos / 'larger.mp4'}")
        watched.wait_until(lambda: watched.frames[-1].wh == (640, 360))
        watched.wait_for_frames(5)
        [end] = watched.ends
    assert end.reason == ("format_changed" if command == "switch" else end.reason)
    sizes = [frame.wh for frame in watched.frames]
    assert sizes == sorted(sizes)  # never back
    assert all(read_clock(frame.image) is not None for frame in watched.frames)


def test_damaged_frames_and_those_that_depend_on_them_are_dropped(server: RtspCamera) -> None:
    with BitFlippingProxy(server.url) as line, WatchedCamera(line.url) as watched:
        watched.wait_for_frames(10)
        line.flip_rate = 0.1
        watched.wait_until(lambda: line.flipped >= 20)
        line.flip_rate = 0.0
        watched.wait_for_frames(FPS)
        corrupt = watched.camera.drops["corrupt"]
        numbers = [read_clock(frame.image) for frame in watched.frames]
    assert corrupt >= 10
    readable = [number for number in numbers if number is not None]
    assert len(readable) >= 0.98 * len(numbers)


def test_no_frame_that_a_line_held_back_is_delivered_late(server: RtspCamera) -> None:
    with BitFlippingProxy(server.url) as line, WatchedCamera(line.url) as watched:
        watched.wait_for_frames(FPS)
        server.freeze()
        held_s = 1.2
        time.sleep(held_s)  # what is tested is a pause
        server.thaw()
        watched.wait_for_frames(2 * FPS)
        frames, late = watched.frames, watched.camera.drops["late"]
    assert late >= 10
    assert max(frame.decoded_at - frame.captured_at for frame in frames[2 * FPS :]) < 0.7
    assert watched.ends[:-1] == []


def test_a_hiccup_does_not_cost_a_stream_with_few_key_frames_its_connection(
    tmp_path: Path,
) -> None:
    video = clock_video(tmp_path / "long.mp4", 30, FPS, WH, gop=30 * FPS)
    with RtspCamera(video, per_client=True) as server, WatchedCamera(server.url) as watched:
        watched.wait_for_frames(FPS)
        server.freeze()
        time.sleep(1.0)  # what is tested is a pause
        server.thaw()
        watched.wait_until(lambda: watched.camera.drops["late"] > 5)
        watched.wait_for_frames(2 * FPS)
        assert watched.ends == []


def test_a_machine_out_of_memory_for_frames_is_one_cameras_error(
    server: RtspCamera, monkeypatch: pytest.MonkeyPatch
) -> None:
    renew, refusals = SlotOwner.renew, [OSError(errno.EMFILE, os.strerror(errno.EMFILE))]

    def refuse_once(slots: SlotOwner, need: NeedSlots) -> None:
        if refusals:
            raise refusals.pop()
        renew(slots, need)

    monkeypatch.setattr(SlotOwner, "renew", refuse_once)
    with WatchedCamera(server.url) as watched:
        end = watched.wait_for_end("decoder_crashed")
        watched.wait_for_frames(3)
    assert end.error == "no shared memory for it (Too many open files)"


def test_a_stream_that_cannot_catch_up_is_opened_again(server: RtspCamera) -> None:
    with BitFlippingProxy(server.url) as line, WatchedCamera(line.url) as watched:
        watched.wait_for_frames(FPS)
        sent_per_s = 8_000.0  # less than the camera sends: the delay grows without end
        line.bytes_per_s = sent_per_s
        watched.wait_until(
            lambda: any(end.reason in ("delayed", "stalled") for end in watched.ends), 40.0
        )
        line.bytes_per_s = None
        watched.wait_for_frames(FPS)
        frames = watched.frames
    assert max(frame.decoded_at - frame.captured_at for frame in frames[-5:]) < 0.7


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGSTOP])
def test_a_decoder_that_dies_or_hangs_is_replaced(
    server: RtspCamera, number: signal.Signals
) -> None:
    with WatchedCamera(server.url) as watched:
        watched.wait_for_frames(5)
        assert watched.process.pid is not None
        os.kill(watched.process.pid, number)
        end = watched.wait_for_end("stalled" if number == signal.SIGSTOP else "decoder_crashed")
        watched.wait_for_frames(5)
    assert end.error is not None
    if number != signal.SIGSTOP:
        assert number.name in end.error


@pytest.mark.parametrize("state", ["up", "refused", "frozen", "frozen while opening", "waiting"])
def test_stopping_is_quick_in_every_state(videos: Path, state: str) -> None:
    with (
        RtspCamera(videos / "clock.mp4", start=state not in ("refused", "waiting")) as server,
        WatchedCamera(server.url) as watched,
    ):
        if state in ("up", "frozen"):
            watched.wait_for_frames(3)
        if "frozen" in state:
            server.freeze()
        if state == "waiting":
            watched.wait_for_end("unreachable")
        assert watched.stop() < 2.0
    assert watched.ends[-1].reason == "stopped"
    assert watched.ends[-1].at is None


def test_a_rate_is_kept_by_dropping_frames_evenly(server: RtspCamera) -> None:
    source = parse_source(server.url, "cam", detect_fps=5.0)
    with WatchedCamera(source) as watched:
        watched.wait_for_frames(11)
        frames = watched.frames
    steps = np.diff([frame.pts_s for frame in frames])[1:]
    assert np.median(steps) == pytest.approx(0.2, abs=0.01)
    assert steps / 0.2 == pytest.approx(np.round(steps / 0.2), abs=0.05)
    assert (frames[-1].index - frames[0].index) == pytest.approx(5 * (len(frames) - 1), abs=2)


def test_udp_is_an_option(server: RtspCamera) -> None:
    with WatchedCamera(parse_source(server.url, "cam", transport="udp")) as watched:
        watched.wait_for_frames(10)
        assert read_clock(watched.frames[-1].image) is not None


class TlsFront(BitFlippingProxy):
    """Speaks TLS with the client and flips nothing."""

    def __init__(self, camera_url: str, certificate: Path) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        super().__init__(camera_url)

    def _greet(self, near: socket.socket) -> socket.socket:
        return self._context.wrap_socket(near, server_side=True)

    @property
    def url(self) -> str:
        return super().url.replace("rtsp:", "rtsps:")


def test_an_untrusted_certificate_is_refused_unless_configured_otherwise(
    server: RtspCamera, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = make_certificate(tmp_path)
    with TlsFront(server.url, certificate) as front:
        with WatchedCamera(front.url) as watched:
            end = watched.wait_for_end("unreachable")
            assert "verify_tls" in (end.error or "")
        with WatchedCamera(parse_source(front.url, "cam", verify_tls=False)) as watched:
            watched.wait_for_frames(3)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        with WatchedCamera(front.url) as watched:
            watched.wait_for_frames(3)


def test_motion_jpeg_over_http_is_a_camera_too() -> None:
    jpegs = encode_jpegs(clock_frames(100, FPS, WH))
    with MjpegCamera(jpegs, FPS, user="viewer", password="secret") as camera:
        source = parse_source(camera.url, "cam", username="viewer", password="secret")
        with WatchedCamera(source) as watched:
            watched.wait_for_frames(10)
            camera.stall()
            watched.wait_for_end("stalled")
            camera.resume()
            watched.wait_for_frames(10)
    with (
        MjpegCamera(jpegs, FPS, user="viewer", password="secret") as camera,
        WatchedCamera(camera.url) as refused,
    ):
        refused.wait_for_end("unauthorized")


def test_hls_plays_at_its_own_pace(videos: Path, tmp_path: Path) -> None:
    with HlsCamera(videos / "clock.mp4", tmp_path) as camera:
        camera.wait_until_ready()
        with WatchedCamera(camera.url) as watched:
            watched.wait_for_frames(3 * FPS)
            frames = watched.frames
    waits = np.diff([frame.captured_at for frame in frames])
    assert np.median(waits) == pytest.approx(1 / FPS, abs=0.01)


def test_a_file_plays_like_a_camera_and_ends(videos: Path) -> None:
    source = parse_source(f"{videos / 'clock.mp4'}?live&speed=4", "cam")
    with WatchedCamera(source) as watched:
        end = watched.wait_for_end("stream_ended")
    assert end.at is None
    numbers = [read_clock(frame.image) for frame in watched.frames]
    assert numbers == sorted(set(numbers), key=lambda number: number or 0)
    # A busy machine may drop some; then it reports how many.
    assert len(numbers) + sum(watched.camera.drops.values()) == FPS * SECONDS
    assert len(numbers) > FPS


def test_a_file_in_a_loop_continues_without_a_seam(videos: Path) -> None:
    source = parse_source(f"{videos / 'clock.mp4'}?live&loop&speed=10", "cam")
    with WatchedCamera(source) as watched:
        watched.wait_for_frames(3 * FPS * SECONDS)
        frames = watched.frames
    steps = np.diff([frame.pts_s for frame in frames])
    assert steps * FPS == pytest.approx(np.round(steps * FPS), abs=0.05)
    assert np.mean(steps < 1.5 / FPS) > 0.9  # a busy machine may leave some out
