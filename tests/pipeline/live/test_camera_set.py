from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from pipeline.live.camera_set import CameraSet
from pipeline.live.camera_source import CameraSource
from pipeline.telemetry.run_status import RunStatus


class Readers:
    """Starts threads that wait until they are asked to end, or end immediately by themselves."""

    def __init__(self) -> None:
        self.started = list[CameraSource]()
        self.stops = dict[str, threading.Event]()
        self.threads = list[threading.Thread]()
        self.ending_immediately = set[str]()

    def __call__(self, source: CameraSource, stop: threading.Event) -> threading.Thread:
        self.started.append(source)
        self.stops[source.camera_id] = stop
        target = str if source.camera_id in self.ending_immediately else stop.wait
        thread = threading.Thread(target=target, name=f"test-reader {source.camera_id}")
        self.threads.append(thread)
        thread.start()
        if source.camera_id in self.ending_immediately:
            thread.join()
        return thread

    def started_names(self) -> list[str]:
        return [source.camera_id for source in self.started]


@pytest.fixture
def readers() -> Iterator[Readers]:
    readers = Readers()
    yield readers
    for stop in readers.stops.values():
        stop.set()
    for thread in readers.threads:
        thread.join()


@pytest.fixture
def status() -> RunStatus:
    return RunStatus()


@pytest.fixture
def cameras(readers: Readers, status: RunStatus) -> CameraSet:
    return CameraSet(readers, status)


def rtsp(camera_id: str, url: str = "rtsp://h/x") -> CameraSource:
    return CameraSource(camera_id, "rtsp", url)


def file(camera_id: str) -> CameraSource:
    return CameraSource(camera_id, "file", "street.mp4")


def names(status: RunStatus) -> list[str]:
    snapshot = status.snapshot()
    return [camera.camera_id for camera in snapshot.cameras]


def test_every_camera_gets_a_reader_of_its_own(
    cameras: CameraSet, readers: Readers, status: RunStatus
) -> None:
    cameras.update([rtsp("gate"), rtsp("yard")])
    assert readers.started_names() == names(status) == ["gate", "yard"]
    assert readers.stops["gate"] is not readers.stops["yard"]


def test_what_is_equal_is_not_touched(cameras: CameraSet, readers: Readers) -> None:
    cameras.update([rtsp("gate"), rtsp("yard")])
    cameras.update([rtsp("yard"), rtsp("gate")])
    assert readers.started_names() == ["gate", "yard"]
    assert not any(stop.is_set() for stop in readers.stops.values())


def test_only_differences_are_applied(
    cameras: CameraSet, readers: Readers, status: RunStatus
) -> None:
    cameras.update([rtsp("gate"), rtsp("yard"), rtsp("hall")])
    old_yard = readers.stops["yard"]
    status.arrived("gate", (64, 48))
    cameras.update([rtsp("gate"), rtsp("yard", "rtsp://h/other"), rtsp("roof")])
    assert readers.started_names() == ["gate", "yard", "hall", "yard", "roof"]
    assert old_yard.is_set()
    assert readers.stops["hall"].is_set()
    assert not readers.stops["gate"].is_set()
    assert not readers.stops["yard"].is_set()
    assert sorted(names(status)) == ["gate", "roof", "yard"]


@pytest.mark.parametrize(
    "change", [{"transport": "udp"}, {"verify_tls": False}, {"detect_fps": 2.0}]
)
def test_any_difference_opens_a_camera_again(
    cameras: CameraSet, readers: Readers, change: dict[str, Any]
) -> None:
    cameras.update([rtsp("gate")])
    cameras.update([replace(rtsp("gate"), **change)])
    assert readers.started_names() == ["gate", "gate"]


def test_a_camera_has_ended_before_another_of_its_name_begins(
    cameras: CameraSet, readers: Readers
) -> None:
    cameras.update([rtsp("gate")])
    cameras.update([rtsp("gate", "rtsp://h/other")])
    old, new = readers.threads
    assert not old.is_alive()
    assert new.is_alive()


def test_a_log_line_names_a_new_camera_without_its_credentials(
    cameras: CameraSet, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    cameras.update([rtsp("gate", "rtsp://viewer:secret@h/x")])
    assert "camera gate: rtsp://***@h/x" in caplog.text
    assert "secret" not in caplog.text


def test_stopping_ends_all(cameras: CameraSet, readers: Readers) -> None:
    cameras.update([rtsp("gate"), rtsp("yard")])
    cameras.stop()
    for thread in readers.threads:
        thread.join()


def test_files_end_by_themselves_and_cameras_do_not(cameras: CameraSet, readers: Readers) -> None:
    assert not cameras.all_ended
    readers.ending_immediately = {"a", "b", "gate"}
    cameras.update([file("a"), file("b")])
    assert cameras.all_ended
    cameras.update([file("a"), rtsp("gate")])
    assert not cameras.all_ended


def test_a_file_that_still_plays_keeps_the_run_going(cameras: CameraSet, readers: Readers) -> None:
    readers.ending_immediately = {"a"}
    cameras.update([file("a"), file("b")])
    assert not cameras.all_ended
    readers.stops["b"].set()
    readers.threads[1].join()
    assert cameras.all_ended


def test_a_file_that_has_ended_is_not_played_again(cameras: CameraSet, readers: Readers) -> None:
    readers.ending_immediately = {"a"}
    cameras.update([file("a")])
    cameras.update([file("a")])
    assert readers.started_names() == ["a"]


def test_a_configuration_without_cameras_is_waited_with(cameras: CameraSet) -> None:
    cameras.update([rtsp("gate")])
    cameras.update([])
    assert not cameras.all_ended
