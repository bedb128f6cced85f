"""Counters of a live run under a clock that the tests turn."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import pytest

from pipeline.telemetry.run_status import CameraSnapshot, RunStatus, Samples, Snapshot
from testbed.clock import Clock

WH = (640, 480)


@pytest.fixture
def clock() -> Clock:
    return Clock(0.0)


@pytest.fixture
def status(clock: Clock) -> RunStatus:
    status = RunStatus(clock.unix, clock)
    status.add_camera("gate")
    return status


def look(
    status: RunStatus,
    *,
    queues: Mapping[str, int] | None = None,
    stuck: str | None = None,
    outbox_waiting: int = 0,
    redis_error: str | None = None,
    gpu_memory_bytes: int | None = None,
) -> Snapshot:
    return status.snapshot(
        queues=queues or {},
        stuck=stuck,
        outbox_waiting=outbox_waiting,
        redis_error=redis_error,
        gpu_memory_bytes=gpu_memory_bytes,
    )


def gate(status: RunStatus) -> CameraSnapshot:
    return next(one for one in look(status).cameras if one.camera_id == "gate")


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
    yard = look(status).cameras[1]
    assert (yard.camera_id, yard.fps_in) == ("yard", pytest.approx(10.0))


def test_a_clock_that_is_set_spoils_no_rate(status: RunStatus, clock: Clock) -> None:
    clock.now = 10.0
    clock.unix_offset_s -= 86_400.0
    for _ in range(100):
        status.arrived("gate", WH)
    assert gate(status).fps_in == pytest.approx(10.0)


def test_a_change_of_state_is_told_with_its_time(status: RunStatus, clock: Clock) -> None:
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
    assert look(status).events == 1  # it happened all the same


def test_what_comes_of_a_removed_camera_is_ignored(status: RunStatus) -> None:
    status.remove_camera("gate")
    status.remove_camera("gate")
    assert not status.set_state("gate", "up")
    status.arrived("gate", WH)
    status.dropped("gate", "full")
    status.entered_detection({"gate": 0.1})
    status.decided("gate", tracks=1, events=0, latency_s={})
    assert look(status).cameras == ()


def test_mean_batches_leave_out_the_empty_ones(status: RunStatus) -> None:
    status.entered_detection({})
    status.entered_detection({"gate": 0.1, "yard": 0.1, "door": 0.1})
    status.entered_detection({"gate": 0.1})
    status.entered_recognition(clips=0, dropped=5)
    status.entered_recognition(clips=8, dropped=1)
    snapshot = look(status)
    assert (snapshot.detect_batch, snapshot.recognize_batch) == (2.0, 8.0)
    assert snapshot.dropped_clips == 6


def test_latencies_are_told_by_stage_while_they_are_recent(status: RunStatus, clock: Clock) -> None:
    status.decided("gate", tracks=1, events=2, latency_s={"detect": 0.1, "total": 0.5})
    assert look(status).latency_s == {
        "detect": pytest.approx((0.1, 0.1, 0.1)),
        "total": pytest.approx((0.5, 0.5, 0.5)),
    }
    clock.now = 61.0
    assert look(status).latency_s == {}
    assert look(status).events == 2


def test_a_snapshot_keeps_what_the_wiring_said(status: RunStatus, clock: Clock) -> None:
    queues = {"frames": 3}
    snapshot = look(
        status,
        queues=queues,
        stuck="detect for 70 s",
        outbox_waiting=7,
        redis_error="away",
        gpu_memory_bytes=1024,
    )
    queues["frames"] = 99
    clock.now = 10.0
    assert snapshot.started_at == 1_000_000.0
    assert (snapshot.healthy, snapshot.stuck) == (False, "detect for 70 s")
    assert (snapshot.queues, snapshot.outbox_waiting) == ({"frames": 3}, 7)
    assert (snapshot.redis_error, snapshot.gpu_memory_bytes) == ("away", 1024)
    assert look(status).healthy


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
        look(status)
    for thread in threads:
        thread.join()
    camera = gate(status)
    assert (camera.frames_in, camera.frames_detected, look(status).events) == (2000, 2000, 2000)
