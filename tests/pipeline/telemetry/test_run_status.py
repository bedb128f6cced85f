"""Counters of a live run under a clock that the tests turn."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from pipeline.telemetry.run_status import RunStatus, Samples, StatusSink
from pipeline.telemetry.snapshots import CameraSnapshot
from pipeline.types import DecidedEnd, DecidedFrame, StreamEnd
from testbed.clock import Clock
from tests.conftest import make_frame, make_tracked
from tests.pipeline.decided_items import (
    make_alarm_event,
    make_camera_event,
    make_end,
    make_event,
    make_item,
)

WH = (640, 480)


@pytest.fixture
def clock() -> Clock:
    return Clock(0.0)


@pytest.fixture
def status(clock: Clock) -> RunStatus:
    status = RunStatus(clock.unix, clock)
    status.add_camera("gate")
    return status


def gate(status: RunStatus) -> CameraSnapshot:
    return next(one for one in status.snapshot().cameras if one.camera_id == "gate")


def test_samples_are_of_the_last_minute(clock: Clock) -> None:
    samples = Samples(clock)
    samples.add(1.0)
    clock.now = 59.0
    samples.add(3.0)
    assert (samples.values(), samples.mean()) == ([1.0, 3.0], 2.0)
    clock.now = 61.0
    assert samples.values() == [3.0]
    clock.now = 120.0
    assert (samples.values(), samples.mean(), samples.percentiles()) == ([], 0.0, None)


def test_percentiles_are_those_of_the_values(clock: Clock) -> None:
    samples = Samples(clock)
    for value in range(101):
        samples.add(value)
    assert samples.percentiles() == pytest.approx((50.0, 95.0, 99.0))


def test_a_new_camera_is_connecting_and_has_counted_nothing(
    status: RunStatus, clock: Clock
) -> None:
    camera = gate(status)
    assert (camera.state, camera.reason, camera.since) == ("connecting", None, clock.unix())
    assert (camera.frames_in, camera.fps_in, camera.connects, camera.wh) == (0, 0.0, 0, None)
    assert camera.staleness_s is None
    assert set(camera.drops.values()) == {0}


def test_frames_are_counted_where_they_pass(status: RunStatus) -> None:
    for _ in range(4):
        status.arrived("gate", WH)
    status.dropped("gate", "stale")
    status.dropped("gate", "late", 2)
    status.entered_detection({"gate": 0.25})
    camera = gate(status)
    assert (camera.frames_in, camera.frames_detected, camera.wh) == (4, 1, WH)
    assert {cause: count for cause, count in camera.drops.items() if count} == {
        "stale": 1,
        "late": 2,
    }


def test_rates_forget_what_is_older_than_a_minute(status: RunStatus, clock: Clock) -> None:
    for _ in range(120):
        status.arrived("gate", WH)
        status.entered_detection({"gate": 0.0})
    clock.now = 59.0
    assert gate(status).fps_in == pytest.approx(120 / 59)
    clock.now = 61.0
    camera = gate(status)
    assert (camera.fps_in, camera.fps_detected, camera.frames_in) == (0.0, 0.0, 120)


def test_the_rate_of_a_camera_added_later_is_over_its_own_time(
    status: RunStatus, clock: Clock
) -> None:
    clock.now = 1000.0
    status.add_camera("yard")
    clock.now = 1010.0
    for _ in range(100):
        status.arrived("yard", WH)
    yard = status.snapshot().cameras[1]
    assert (yard.camera_id, yard.fps_in) == ("yard", pytest.approx(10.0))


def test_a_clock_that_is_set_spoils_no_rate(status: RunStatus, clock: Clock) -> None:
    clock.now = 10.0
    clock.unix_offset_s -= 86_400.0
    for _ in range(100):
        status.arrived("gate", WH)
    assert gate(status).fps_in == pytest.approx(10.0)


def test_a_change_of_state_is_reported_with_its_time(status: RunStatus, clock: Clock) -> None:
    clock.now = 5.0
    assert status.set_state("gate", "up")
    went_up = clock.unix()
    clock.now = 8.0
    assert not status.set_state("gate", "up")
    assert (gate(status).since, gate(status).connects) == (went_up, 1)
    assert status.set_state("gate", "down", "timeout", "nothing came within 10 s")
    camera = gate(status)
    assert (camera.since, camera.reason) == (clock.unix(), "timeout")
    assert camera.detail == "nothing came within 10 s"


def test_another_reason_is_a_change_but_the_camera_is_down_as_long(
    status: RunStatus, clock: Clock
) -> None:
    status.set_state("gate", "down", "timeout")
    went_down = clock.unix()
    clock.now = 30.0
    assert not status.set_state("gate", "down", "timeout", "again")
    assert status.set_state("gate", "down", "refused")
    assert (gate(status).since, gate(status).reason) == (went_down, "refused")


def test_each_time_it_comes_up_is_counted(status: RunStatus) -> None:
    for _ in range(3):
        status.set_state("gate", "up")
        status.set_state("gate", "down", "timeout")
    assert gate(status).connects == 3


def test_frames_still_under_way_do_not_revive_a_camera_that_went_down(
    status: RunStatus,
) -> None:
    status.set_state("gate", "up")
    status.entered_detection({"gate": 0.1})
    status.decided("gate", tracks=2, events=0, latency_s={})
    assert (gate(status).staleness_s, gate(status).tracks) == (0.1, 2)
    status.set_state("gate", "down", "timeout")
    status.entered_detection({"gate": 0.2})
    status.decided("gate", tracks=2, events=1, latency_s={})
    camera = gate(status)
    assert (camera.staleness_s, camera.tracks, camera.frames_detected) == (None, 0, 2)
    assert status.snapshot().events == 1  # it happened all the same


def test_what_comes_of_a_removed_camera_is_ignored(status: RunStatus) -> None:
    status.remove_camera("gate")
    status.remove_camera("gate")
    assert not status.set_state("gate", "up")
    status.arrived("gate", WH)
    status.dropped("gate", "full")
    status.entered_detection({"gate": 0.1})
    status.decided("gate", tracks=1, events=0, latency_s={})
    assert status.snapshot().cameras == ()


def test_mean_batches_leave_out_the_empty_ones(status: RunStatus) -> None:
    status.entered_detection({})
    status.entered_detection({"gate": 0.1, "yard": 0.1, "door": 0.1})
    status.entered_detection({"gate": 0.1})
    status.entered_recognition(clips=0, dropped=5)
    status.entered_recognition(clips=8, dropped=1)
    snapshot = status.snapshot()
    assert (snapshot.detect_batch, snapshot.recognize_batch) == (2.0, 8.0)
    assert snapshot.dropped_clips == 6


def test_latencies_are_reported_by_stage_while_they_are_recent(
    status: RunStatus, clock: Clock
) -> None:
    status.decided("gate", tracks=1, events=2, latency_s={"detect": 0.1, "total": 0.5})
    assert status.snapshot().latency_s == {
        "detect": pytest.approx((0.1, 0.1, 0.1)),
        "total": pytest.approx((0.5, 0.5, 0.5)),
    }
    clock.now = 61.0
    assert status.snapshot().latency_s == {}
    assert status.snapshot().events == 2


class Queue(list[int]):
    """Some items, and perhaps a consumer at work."""

    busy_since: float | None = None


class Publisher:
    last_error: str | None = "it does not answer"
    waiting = 17


def test_a_snapshot_keeps_what_it_showed(clock: Clock) -> None:
    status = RunStatus(clock.unix, clock, stuck_s=30.0, gpu_memory=lambda: 1024)
    queue, publisher = Queue([1, 2, 3]), Publisher()
    queue.busy_since = clock() - 70.0
    status.register_queue("detect", queue)
    status.register_publisher(publisher)
    snapshot = status.snapshot()
    queue.clear()
    queue.busy_since, publisher.waiting = None, 99
    clock.now = 10.0
    assert snapshot.started_at == 1_000_000.0
    assert snapshot.stuck == "detect has been at one piece of work for 70 s"
    assert not snapshot.healthy
    assert (snapshot.queues, snapshot.outbox_waiting) == ({"detect": 3}, 17)
    assert (snapshot.redis_error, snapshot.gpu_memory_bytes) == ("it does not answer", 1024)
    assert status.snapshot().healthy


def test_a_snapshot_before_anything_runs_is_healthy_and_empty() -> None:
    snapshot = RunStatus(stuck_s=30.0, gpu_memory=lambda: 4096).snapshot()
    assert snapshot.healthy
    assert (snapshot.queues, snapshot.outbox_waiting, snapshot.redis_error) == ({}, 0, None)
    assert snapshot.gpu_memory_bytes == 4096


def test_a_snapshot_shows_queues_and_the_way_to_redis(status: RunStatus) -> None:
    status.register_queue("detect", Queue([1, 2]))
    status.register_queue("results", [1, 2, 3])
    status.register_publisher(Publisher())
    snapshot = status.snapshot()
    assert snapshot.queues == {"detect": 2, "results": 3}
    assert (snapshot.outbox_waiting, snapshot.redis_error) == (17, "it does not answer")


def test_a_snapshot_shows_the_first_disk_that_takes_no_events(status: RunStatus) -> None:
    disks = [SimpleNamespace(disk_error=error) for error in (None, "it is full", "it fails")]
    for disk in disks:
        status.register_disk(disk)
    assert status.snapshot().disk_error == "it is full"
    disks[1].disk_error = disks[2].disk_error = None
    assert status.snapshot().disk_error is None


@pytest.mark.parametrize(
    ("busy_since", "stuck"),
    [
        (None, None),
        (999.0, None),
        (970.0, None),
        (969.0, "recognize has been at one piece of work for 31 s"),
    ],
)
def test_a_stage_that_is_busy_for_too_long_hangs(
    busy_since: float | None, stuck: str | None
) -> None:
    status = RunStatus(monotonic=lambda: 1000.0, stuck_s=30.0)
    detect, recognize = Queue(), Queue()
    recognize.busy_since = busy_since
    status.register_queue("detect", detect)
    status.register_queue("recognize", recognize)
    snapshot = status.snapshot()
    assert (snapshot.healthy, snapshot.stuck) == (stuck is None, stuck)


def test_the_results_of_a_run_are_counted_like_any_sink_writes_them(status: RunStatus) -> None:
    status.set_state("gate", "up")
    sink = StatusSink(status)
    sink.write(DecidedFrame(make_tracked(make_frame(), (1, 2)), (), {"total": 0.5}))
    assert gate(status).tracks == 2
    sink.write(DecidedEnd(StreamEnd("gate", "stalled"), ()))
    sink.close()
    assert gate(status).tracks == 0
    assert status.snapshot().latency_s == {"total": pytest.approx((0.5, 0.5, 0.5))}
    assert status.snapshot().events == 0


def test_nothing_is_lost_between_threads(status: RunStatus) -> None:
    def work() -> None:
        for _ in range(500):
            status.arrived("gate", WH)
            status.entered_detection({"gate": 0.1})
            status.decided("gate", tracks=1, events=1, latency_s={"total": 0.1})

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        status.snapshot()
    for thread in threads:
        thread.join()
    camera = gate(status)
    assert (camera.frames_in, camera.frames_detected, status.snapshot().events) == (
        2000,
        2000,
        2000,
    )


def test_events_are_counted_by_what_they_are_about(status: RunStatus) -> None:
    status.expect(["walking", "fight"])
    status.add_camera("gate")
    sink = StatusSink(status)
    sink.write(make_item(events=[make_event(1), make_alarm_event(2), make_alarm_event(3, "end")]))
    sink.write(make_end(events=[make_event(4, "end"), make_camera_event(5, "camera_down")]))
    [camera] = status.snapshot().cameras
    assert camera.events == {
        ("walking", "start"): 1,
        ("fight", "start"): 0,
        ("walking", "end"): 1,
        ("", "alarm"): 2,
        ("", "camera_down"): 1,
    }
    assert camera.alarms == {("fight", "critical"): 1}
    status.count_events("absent", [make_event(1)])
    status.remove_camera("gate")
    sink.write(make_item(events=[make_event(6)]))
    assert not status.snapshot().cameras
