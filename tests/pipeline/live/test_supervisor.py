"""A supervisor whose ticks the test makes: nothing here waits, and no camera is opened."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.errors import ConfigError
from pipeline.live.camera_set import CameraSet
from pipeline.live.camera_source import CameraSource
from pipeline.live.supervisor import Operator, Supervisor, advice, status_line
from pipeline.telemetry.run_status import RunStatus
from pipeline.telemetry.snapshots import Snapshot
from pipeline.telemetry.systemd import SystemdNotifier
from testbed.clock import Clock
from tests.pipeline.snapshots import make_camera, make_snapshot

GATE = CameraSource("gate", "rtsp", "rtsp://h/gate")
YARD = CameraSource("yard", "rtsp", "rtsp://h/yard")
STREET = CameraSource("street", "file", "street.mp4")


class Service(SystemdNotifier):
    """Records the messages for systemd."""

    def __init__(self, watchdog_interval_s: float | None = None) -> None:
        super().__init__(None, watchdog_interval_s)
        self.messages = list[str]()

    def _send(self, message: str) -> None:
        self.messages.append(message.partition("\n")[0])


class Script(threading.Event):
    """The event that ends a run; every wait for it is a tick, which may do something first."""

    def __init__(self, clock: Clock, ticks: int) -> None:
        super().__init__()
        self._clock, self._left = clock, ticks
        self.at = dict[int, Callable[[], None]]()
        self.ticks = 0

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self._clock.now += timeout
        self._left -= 1
        if self._left < 0:
            return True
        self.at.get(self.ticks, lambda: None)()
        self.ticks += 1
        return self.is_set()


class House:
    """A run as the supervisor sees it."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.snapshot = make_snapshot()
        self.lines = list[str]()
        self.prints = list[int]()
        self.found: Sequence[CameraSource] | Exception = [GATE]
        self.reload_requested = threading.Event()
        self.service = Service()
        self.ended = 0
        self.started = list[str]()
        self.cameras = CameraSet(self._start, RunStatus(), self._end)

    def run(
        self, ticks: int, at: dict[int, Callable[[], None]] | None = None, every_s: float = 10.0
    ) -> int:
        """Supervise for so many half seconds; returns how many of them it took."""

        script = Script(self.clock, ticks)
        script.at = at or {}
        self.cameras.update(self._load())
        self.supervisor(script, every_s).run()
        return script.ticks

    def supervisor(self, stop: threading.Event, every_s: float = 0.0) -> Supervisor:
        operator = Operator(
            self.lines.append,
            every_s,
            self._load,
            self.reload_requested,
            self.service,
            print_waiting=lambda: self.prints.append(1),
        )
        return Supervisor(self.cameras, lambda: self.snapshot, operator, stop)

    def change(self, **changes: Any) -> Callable[[], None]:
        def apply() -> None:
            self.snapshot = replace(self.snapshot, **changes)

        return apply

    def reload(self, found: Sequence[CameraSource] | Exception) -> Callable[[], None]:
        def ask() -> None:
            self.found = found
            self.reload_requested.set()

        return ask

    def _load(self) -> Sequence[CameraSource]:
        if isinstance(self.found, Exception):
            raise self.found
        return self.found

    def _start(self, source: CameraSource, stop: threading.Event) -> threading.Thread:
        self.started.append(source.camera_id)
        is_file = source.kind == "file"
        thread = threading.Thread(target=str if is_file else stop.wait)
        thread.start()
        if is_file:
            thread.join()
        return thread

    def _end(self) -> None:
        self.ended += 1


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> House:
    clock = Clock(500.0)
    monkeypatch.setattr("pipeline.live.supervisor.time", SimpleNamespace(monotonic=clock))
    return House(clock)


def counted(wanted: int, done: int) -> Snapshot:
    return make_snapshot(make_camera(frames_in=wanted, frames_detected=done))


def test_a_run_is_ready_when_its_cameras_are_monitored_and_reports_when_it_ends(
    house: House,
) -> None:
    house.run(4)
    assert house.started == ["gate"]
    assert house.service.messages == ["READY=1", "STOPPING=1"]
    assert house.ended == 1


def test_it_stops_when_it_is_asked_to(house: House) -> None:
    script = Script(house.clock, 100)
    script.at[3] = script.set
    house.cameras.update([GATE])
    house.supervisor(script).run()
    assert script.ticks == 4
    assert house.ended == 1


def test_it_stops_when_all_files_have_ended(house: House) -> None:
    house.found = [STREET]
    assert house.run(100) == 1
    assert house.ended == 1


def test_it_continues_while_one_camera_has_no_end(house: House) -> None:
    house.found = [STREET, GATE]
    assert house.run(100) == 100


def test_the_end_is_reported_even_if_monitoring_fails(house: House) -> None:
    def fail() -> None:
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        house.run(10, {3: fail})
    assert house.ended == 1
    assert house.service.messages[-1] == "STOPPING=1"


def test_a_line_is_printed_at_its_interval(house: House) -> None:
    house.run(80, every_s=10.0)
    assert house.lines == [status_line(house.snapshot)] * 4
    assert house.service.messages.count(f"STATUS={status_line(house.snapshot)}") == 4


def test_no_line_is_printed_if_none_is_wanted(house: House) -> None:
    house.run(80, every_s=0.0)
    assert house.lines == []


def test_systemd_is_notified_at_its_interval_while_all_is_well(house: House) -> None:
    house.service = Service(watchdog_interval_s=5.0)
    house.run(60)
    assert house.service.messages.count("WATCHDOG=1") == 6


def test_no_watchdog_message_is_sent_where_no_watchdog_waits(house: House) -> None:
    house.run(60)
    assert "WATCHDOG=1" not in house.service.messages


def test_systemd_is_notified_of_nothing_while_a_stage_hangs(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.service = Service(watchdog_interval_s=5.0)
    hang = house.change(healthy=False, stuck="detect has been at one piece of work for 31 s")
    house.run(60, {19: hang, 39: house.change(healthy=True, stuck=None)}, every_s=0.0)
    assert house.service.messages.count("WATCHDOG=1") == 4
    assert caplog.text.count("stuck: detect has been at one piece of work for 31 s") == 1


def test_a_reload_applies_the_differences(house: House) -> None:
    house.run(10, {4: house.reload([GATE, YARD])})
    assert house.started == ["gate", "yard"]
    assert house.service.messages == ["READY=1", "RELOADING=1", "READY=1", "STOPPING=1"]
    assert not house.reload_requested.is_set()


def test_a_bad_configuration_leaves_everything_as_it_is(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    bad = ConfigError("cameras.gate.url: missing")
    assert house.run(10, {4: house.reload(bad), 7: house.reload([GATE])}) == 10
    assert house.started == ["gate"]
    assert "not reloaded, everything stays as it is: cameras.gate.url: missing" in caplog.text
    assert house.service.messages[1:3] == ["RELOADING=1", "READY=1"]


def short_and_long_enough(house: House) -> dict[int, Callable[[], None]]:
    """Counters as they are shortly before the line every ten seconds."""
    shares = [100, 100, 50, 60, 95, 94, 100, 100, 70]
    counters, wanted, done = dict[int, Callable[[], None]](), 0, 0
    for number, processed in enumerate(shares):
        wanted, done = wanted + 100, done + processed
        cameras = counted(wanted, done).cameras
        counters[20 * number + 18] = house.change(cameras=cameras)
    return counters


@pytest.mark.parametrize(
    ("fps", "cameras", "least_fps", "expected"),
    [
        (7.9, 2, 3.0, "live.detect_fps=7.5 would fit"),
        (0.7, 1, 0.0, "live.detect_fps=0.5 would fit"),
        (2.0, 6, 3.0, "2.0 frames per second and camera fit, and clips need 3"),
        (2.0, 6, 3.0, "at most 4 of these 6 cameras"),
        (2.0, 1, 3.0, "or a faster machine"),
        (0.0, 1, 0.0, "or a faster machine"),
    ],
)
def test_the_rate_that_would_fit_is_named(
    fps: float, cameras: int, least_fps: float, expected: str
) -> None:
    assert expected in advice(fps, cameras, least_fps)


def test_what_waits_for_a_terminal_is_printed_every_tick(house: House) -> None:
    house.run(5)
    assert len(house.prints) == 5


def test_too_little_compute_is_reported_once_and_so_is_its_end(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    house.run(180, short_and_long_enough(house))
    logged = [record for record in caplog.records if "compute" in record.message]
    assert [record.levelname for record in logged] == ["WARNING", "INFO", "WARNING"]
    assert "50 % of every camera's frames are processed" in logged[0].message
    assert "live.detect_fps=5 would fit" in logged[0].message  # 50 frames in ten seconds
    assert logged[1].message == "enough compute again"
    assert "70 %" in logged[2].message


def test_a_camera_that_was_added_or_restarted_reports_nothing_about_compute(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.snapshot = make_snapshot(make_camera("yard", frames_in=5000, frames_detected=5000))
    again = make_camera("yard", frames_in=100, frames_detected=10)
    new = make_camera("gate", frames_in=100, frames_detected=10)
    house.run(60, {25: house.change(cameras=(again, new))})
    assert "compute" not in caplog.text


def test_cameras_that_are_all_down_report_nothing_about_compute(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.run(100)
    assert "compute" not in caplog.text


def test_the_line_of_a_run_in_good_order() -> None:
    cameras = make_camera(), make_camera("yard", fps_in=10.0, fps_detected=9.96, tracks=0)
    assert status_line(make_snapshot(*cameras)) == (
        "2 of 2 cameras up · 22.5 of 35.0 fps · 3 people · 42 events · "
        "latency p50 400 p95 800 p99 1200 ms · dropped 14 frames, 4 clips"
    )


def test_the_line_names_which_cameras_are_unavailable_and_why() -> None:
    down = {"fps_in": 9.0, "fps_detected": 9.0, "tracks": 5}
    cameras = (
        make_camera(drops={}),
        make_camera("yard", state="down", reason="unauthorized", drops={}, **down),
        make_camera("hall", state="connecting", drops={}, **down),
    )
    assert status_line(make_snapshot(*cameras, latency_s={})) == (
        "1 of 3 cameras up (yard unauthorized, hall connecting) · 12.5 of 25.0 fps · 3 people · "
        "42 events · dropped 0 frames, 4 clips"
    )


@pytest.mark.parametrize(
    ("changes", "end"),
    [
        ({"outbox_waiting": 3}, " · 3 events wait for Redis"),
        ({"redis_error": "it does not answer"}, " · 0 events wait for Redis"),
        ({}, "4 clips"),
    ],
)
def test_the_line_reports_what_waits_for_redis(changes: dict[str, Any], end: str) -> None:
    assert status_line(make_snapshot(**changes)).endswith(end)
