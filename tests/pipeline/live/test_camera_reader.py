"""A reader whose camera is a script: no process and no connection; the rest is integration."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from pipeline.live.camera_messages import (
    FrameTimes,
    LiveFrame,
    OpenStream,
    StreamError,
    StreamInfo,
    StreamStatistics,
)
from pipeline.live.camera_process import CameraProcess
from pipeline.live.camera_reader import CameraReader
from pipeline.live.camera_source import CameraSource
from pipeline.telemetry.run_status import RunStatus
from pipeline.telemetry.snapshots import CameraSnapshot
from pipeline.types import Frame, StreamEnd
from testbed.clock import Clock
from testbed.watched_camera import Timeouts

Item = StreamInfo | LiveFrame | StreamStatistics | StreamError | None
QUICK = Timeouts(max_gap_s=0.0, reconnect_first_s=0.001, reconnect_longest_s=0.001)


def live_frame(decoded: int, pts_s: float, wh: tuple[int, int] = (64, 48)) -> LiveFrame:
    width, height = wh
    times = FrameTimes(pts_s, 0, captured_s=100.0 + pts_s, decoded_s=100.1 + pts_s, decoded=decoded)
    return LiveFrame(np.zeros((height, width, 3), np.uint8), times)


class Script(CameraProcess):
    """Connections that come one after the other; the reader is stopped behind the last one."""

    def __init__(self, stop: threading.Event, *connections: list[Item]) -> None:
        super().__init__()
        self._stop, self._connections = stop, list(connections)
        self.requests = list[OpenStream]()

    def frames(
        self, request: OpenStream
    ) -> Iterator[StreamInfo | LiveFrame | StreamStatistics | None]:
        self.requests.append(request)
        for item in self._connections.pop(0):
            if isinstance(item, StreamError):
                if not self._connections:
                    self._stop.set()
                raise item
            yield item
        self._stop.set()
        yield None


@pytest.fixture
def status() -> RunStatus:
    status = RunStatus()
    status.add_camera("gate")
    return status


Read = Callable[..., list[Frame | StreamEnd]]


@pytest.fixture
def read(status: RunStatus) -> Read:
    def run(*connections: list[Item], kind: str = "rtsp") -> list[Frame | StreamEnd]:
        stop = threading.Event()
        source = CameraSource("gate", kind, "rtsp://h/gate")  # type: ignore[arg-type]
        process = Script(stop, *connections)
        reader = CameraReader(source, QUICK, QUICK.max_gap_s, status, stop, process=process)
        return list(reader.frames())

    return run


def shown(items: list[Frame | StreamEnd]) -> list[str]:
    return [f"{one.index}" if isinstance(one, Frame) else one.reason for one in items]


def gate(status: RunStatus) -> CameraSnapshot:
    return status.snapshot().cameras[0]


def test_frames_are_numbered_across_connections_and_an_outage_lies_between(read: Read) -> None:
    lost = StreamError("disconnected", "it ended the stream")
    items = read(
        [StreamInfo("h264"), live_frame(1, 0.0), live_frame(3, 0.2), lost],
        [StreamInfo("h264"), live_frame(1, 7.0)],
    )
    assert shown(items) == ["0", "2", "disconnected", "3", "stopped"]
    assert isinstance(items[2], StreamEnd)
    assert (items[2].error, items[2].at is None) == ("it ended the stream", False)
    times = [one.pts_s for one in items if isinstance(one, Frame)]
    assert times == sorted(times)


def test_a_camera_that_was_never_up_is_reported_once(read: Read, status: RunStatus) -> None:
    refused = [StreamError("unreachable", "refused") for _ in range(4)]
    assert shown(read(*([one] for one in refused))) == ["unreachable", "stopped"]
    assert (gate(status).state, gate(status).connects) == ("down", 0)


def test_the_end_of_a_file_is_not_tried_again(read: Read) -> None:
    items = read([live_frame(1, 0.0), StreamError("stream_ended", "it is complete")], [])
    assert shown(items) == ["0", "stream_ended"]


def test_another_size_ends_the_tracks_of_the_old_one(read: Read) -> None:
    items = read([live_frame(1, 0.0), live_frame(2, 0.1, (128, 96)), live_frame(3, 0.2, (128, 96))])
    assert shown(items) == ["0", "format_changed", "1", "2", "stopped"]


def test_drops_and_states_are_counted(read: Read, status: RunStatus) -> None:
    read(
        [
            StreamInfo("h264"),
            live_frame(1, 0.0),
            StreamStatistics({"late": 2, "corrupt": 1}),
            StreamStatistics({"late": 3}),
        ]
    )
    camera = gate(status)
    assert (camera.drops["late"], camera.drops["corrupt"]) == (5, 1)
    assert (camera.frames_in, camera.connects, camera.wh) == (1, 1, (64, 48))
    assert (camera.state, camera.reason) == ("down", "stopped")


def test_a_wrong_clock_of_the_camera_is_logged(
    read: Read, caplog: pytest.LogCaptureFixture
) -> None:
    read([live_frame(1, 0.0), StreamStatistics(clock_off_s=3600.0)])
    assert "camera gate: its clock is off by 3600.0 s" in caplog.text


def test_a_camera_that_never_stays_up_is_not_reported_with_every_attempt(
    read: Read, status: RunStatus
) -> None:
    one = [StreamInfo("mjpeg"), live_frame(1, 0.0), StreamError("disconnected", "it ended")]
    items = read(*(list(one) for _ in range(20)))
    assert sum(isinstance(item, Frame) for item in items) == 3
    assert len(items) == 3 + 3 + 1  # three times up and down, and the end of the run
    assert gate(status).connects == 3


def test_the_time_in_which_the_decoder_starts_is_not_one_without_intact_frames(
    status: RunStatus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many cameras that start on a busy machine: else none of them would ever come up."""
    stop, clock = threading.Event(), Clock()
    monkeypatch.setattr("pipeline.live.camera_reader.time.monotonic", clock)

    class SlowStart(Script):
        def frames(
            self, request: OpenStream
        ) -> Iterator[StreamInfo | LiveFrame | StreamStatistics | None]:
            clock.now += 100.0
            yield from super().frames(request)

    process = SlowStart(stop, [StreamInfo("h264"), None, live_frame(0, 0.0)])
    source = CameraSource("gate", "rtsp", "rtsp://h/gate")
    reader = CameraReader(source, QUICK, QUICK.max_gap_s, status, stop, process=process)
    items = list(reader.frames())
    assert [type(item) for item in items] == [Frame, StreamEnd]
    assert len(process.requests) == 1
