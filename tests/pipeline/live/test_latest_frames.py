"""Mostly in one thread: a mailbox never waits while something is in it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from pipeline.live.latest_frames import LatestFrames, MailboxPort
from pipeline.runtime.channel import ChannelCancelled
from pipeline.telemetry.run_status import RunStatus
from pipeline.types import Frame, StreamEnd
from testbed.clock import Clock
from tests.conftest import make_frame

NOW = 1000.0  # when frame 0 of `make_frame` was decoded; frame n was n seconds later


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


@pytest.fixture
def status() -> RunStatus:
    status = RunStatus()
    for camera_id in ("gate", "yard", "hall", "lift", "roof"):
        status.add_camera(camera_id)
    return status


@pytest.fixture
def mailbox(status: RunStatus, clock: Clock) -> LatestFrames:
    return LatestFrames(3, 0.5, status, clock)


def port(mailbox: LatestFrames, camera_id: str = "gate") -> MailboxPort:
    return mailbox.port(camera_id, threading.Event())


def put(mailbox: LatestFrames, *indices: int, camera_id: str = "gate") -> None:
    """Frames that are all fresh, told apart by their index."""
    for index in indices:
        frame = make_frame(index, camera_id=camera_id)
        fresh = Frame(camera_id, index, frame.pts_s, NOW, frame.image, NOW)
        mailbox.put(camera_id, fresh)


def shown(batch: list[Frame | StreamEnd]) -> list[str]:
    return [
        f"{item.camera_id} {item.index if isinstance(item, Frame) else item.reason}"
        for item in batch
    ]


def drops(status: RunStatus, camera_id: str = "gate") -> dict[str, int]:
    snapshot = status.snapshot(
        queues={}, stuck=None, outbox_waiting=0, redis_error=None, gpu_memory_bytes=None
    )
    [camera] = [one for one in snapshot.cameras if one.camera_id == camera_id]
    return {cause: count for cause, count in camera.drops.items() if count}


def test_a_batch_has_the_oldest_frame_of_each_camera(mailbox: LatestFrames) -> None:
    put(mailbox, 0, 1)
    put(mailbox, 5, camera_id="yard")
    batches = mailbox.batches(8)
    assert shown(next(batches)) == ["gate 0", "yard 5"]
    assert shown(next(batches)) == ["gate 1"]


def test_putting_never_waits_and_the_oldest_of_the_same_camera_goes_first(
    mailbox: LatestFrames, status: RunStatus
) -> None:
    put(mailbox, 0, camera_id="yard")
    put(mailbox, *range(10))
    assert len(mailbox) == 4
    assert (drops(status), drops(status, "yard")) == ({"full": 7}, {})
    batches = mailbox.batches(8)
    assert shown(next(batches)) == ["yard 0", "gate 7"]
    assert [shown(next(batches)) for _ in range(2)] == [["gate 8"], ["gate 9"]]


def test_a_frame_that_waited_too_long_is_passed_over_and_counted(
    mailbox: LatestFrames, status: RunStatus, clock: Clock
) -> None:
    mailbox.put("gate", make_frame(0))
    mailbox.put("gate", make_frame(1))
    mailbox.put("yard", make_frame(1, camera_id="yard"))
    clock.now = NOW + 1.5
    assert shown(next(mailbox.batches(8))) == ["gate 1", "yard 1"]
    assert (drops(status), drops(status, "yard")) == ({"stale": 1}, {})


def test_what_counts_is_how_long_a_frame_waited_and_not_how_long_it_travelled(
    mailbox: LatestFrames, clock: Clock
) -> None:
    image = make_frame().image
    mailbox.put("gate", Frame("gate", 0, 0.0, NOW - 30.0, image, NOW))
    clock.now = NOW + 0.5
    assert shown(next(mailbox.batches(8))) == ["gate 0"]


def test_when_all_that_waits_is_stale_the_consumer_gets_the_next_fresh_one(
    mailbox: LatestFrames, status: RunStatus, clock: Clock
) -> None:
    put(mailbox, 0, 1)
    put(mailbox, 0, camera_id="yard")
    clock.now = NOW + 7.0
    gate = port(mailbox)
    received = list[list[str]]()
    consumer = threading.Thread(
        target=lambda: received.extend(shown(batch) for batch in mailbox.batches(8))
    )
    consumer.start()
    gate.put(make_frame(7))
    gate.finish()
    mailbox.close()
    consumer.join()
    assert received == [["gate 7"]]
    assert (drops(status), drops(status, "yard")) == ({"stale": 2}, {"stale": 1})


def test_the_end_of_a_stream_is_never_left_out_and_keeps_its_place(
    mailbox: LatestFrames, clock: Clock
) -> None:
    put(mailbox, 0)
    mailbox.put("gate", StreamEnd("gate", "stalled"))
    put(mailbox, 1, 2, 3, 4)
    mailbox.put("gate", StreamEnd("gate", "disconnected"))
    put(mailbox, 5)
    batches = mailbox.batches(8)
    assert shown(next(batches)) == ["gate stalled", "gate 3"]
    clock.now = NOW + 60.0
    assert shown(next(batches)) == ["gate disconnected"]


def test_ends_alone_are_handed_on_without_a_frame_behind_them(mailbox: LatestFrames) -> None:
    for _ in range(5):
        mailbox.put("gate", StreamEnd("gate", "stalled"))
    mailbox.put("yard", StreamEnd("yard", "stopped"))
    assert shown(next(mailbox.batches(1))) == [*["gate stalled"] * 5, "yard stopped"]


def test_ends_are_no_frames_of_the_batch(mailbox: LatestFrames) -> None:
    mailbox.put("gate", StreamEnd("gate", "stalled"))
    put(mailbox, 0)
    put(mailbox, 0, camera_id="yard")
    mailbox.put("hall", StreamEnd("hall", "stalled"))
    batches = mailbox.batches(1)
    assert shown(next(batches)) == ["gate stalled", "gate 0"]
    assert shown(next(batches)) == ["yard 0"]
    assert shown(next(batches)) == ["hall stalled"]


def test_cameras_take_turns_when_the_detector_is_too_slow(mailbox: LatestFrames) -> None:
    """Five cameras bring a frame each while the detector takes two."""
    cameras = ("gate", "yard", "hall", "lift", "roof")
    taken = dict.fromkeys(cameras, 0)
    batches = mailbox.batches(2)
    for index in range(100):
        for camera_id in cameras:
            put(mailbox, index, camera_id=camera_id)
        batch = next(batches)
        assert len({item.camera_id for item in batch}) == len(batch) == 2
        for item in batch:
            taken[item.camera_id] += 1
    assert set(taken.values()) == {40}


def test_a_fast_camera_gets_no_more_than_its_turn(mailbox: LatestFrames, status: RunStatus) -> None:
    batches = mailbox.batches(1)
    taken = {"gate": 0, "yard": 0}
    for index in range(50):
        put(mailbox, *range(10 * index, 10 * index + 10))
        put(mailbox, index, camera_id="yard")
        [item] = next(batches)
        taken[item.camera_id] += 1
    assert taken == {"gate": 25, "yard": 25}
    assert drops(status)["full"] + 25 + 3 >= 500 > drops(status)["full"] + 25


def test_what_is_taken_is_told_with_its_age(
    mailbox: LatestFrames, status: RunStatus, clock: Clock
) -> None:
    status.set_state("gate", "up")
    image = make_frame().image
    mailbox.put("gate", Frame("gate", 0, 0.0, NOW - 0.2, image, NOW))
    mailbox.put("yard", StreamEnd("yard", "stalled"))
    clock.now = NOW + 0.1
    next(mailbox.batches(8))
    snapshot = status.snapshot(
        queues={}, stuck=None, outbox_waiting=0, redis_error=None, gpu_memory_bytes=None
    )
    assert snapshot.cameras[0].staleness_s == pytest.approx(0.3)
    assert [one.frames_detected for one in snapshot.cameras[:2]] == [1, 0]
    assert snapshot.detect_batch == 1.0


def test_it_ends_when_it_is_closed_and_every_camera_has_finished(mailbox: LatestFrames) -> None:
    gate, yard = port(mailbox), port(mailbox, "yard")
    batches = mailbox.batches(8)
    gate.put(make_frame(0))
    assert shown(next(batches)) == ["gate 0"]
    gate.finish()
    yard.put(StreamEnd("yard", "stopped"))
    yard.finish()
    mailbox.close()
    assert shown(next(batches)) == ["yard stopped"]
    assert list(batches) == []


def _takes(mailbox: LatestFrames) -> tuple[threading.Thread, threading.Event]:
    ended = threading.Event()

    def take() -> None:
        for _ in mailbox.batches(8):
            pass
        ended.set()

    thread = threading.Thread(target=take)
    thread.start()
    return thread, ended


@pytest.fixture
def taker(mailbox: LatestFrames) -> Iterator[threading.Event]:
    """Set once everything has come to an end."""
    thread, ended = _takes(mailbox)
    yield ended
    mailbox.cancel()
    thread.join()


def test_it_does_not_end_while_a_camera_is_open(
    mailbox: LatestFrames, taker: threading.Event
) -> None:
    gate = port(mailbox)
    mailbox.close()
    assert not taker.wait(0.05)
    gate.finish()
    assert taker.wait(10.0)


def test_it_does_not_end_while_another_camera_may_come(
    mailbox: LatestFrames, taker: threading.Event
) -> None:
    port(mailbox).finish()
    assert not taker.wait(0.05)
    mailbox.close()
    assert taker.wait(10.0)


def test_without_any_camera_it_ends_when_it_is_closed(
    mailbox: LatestFrames, taker: threading.Event
) -> None:
    mailbox.close()
    assert taker.wait(10.0)


def test_cancelling_wakes_the_consumer_and_refuses_what_still_comes(
    mailbox: LatestFrames, taker: threading.Event
) -> None:
    gate = port(mailbox)
    mailbox.cancel()
    assert taker.wait(10.0)
    with pytest.raises(ChannelCancelled):
        gate.put(make_frame(0))
    gate.finish()


def test_cancelling_drops_what_waits(mailbox: LatestFrames) -> None:
    put(mailbox, 0, 1)
    mailbox.cancel()
    assert len(mailbox) == 0
    assert list(mailbox.batches(8)) == []


def test_cancelling_a_port_ends_its_reader_and_everything(mailbox: LatestFrames) -> None:
    stop = threading.Event()
    mailbox.port("gate", stop).cancel()
    assert stop.is_set()
    assert list(mailbox.batches(8)) == []


def test_the_consumer_is_busy_from_a_batch_until_it_asks_for_the_next(
    mailbox: LatestFrames, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.live.latest_frames.time", SimpleNamespace(monotonic=lambda: 77.0))
    batches = mailbox.batches(8)
    assert mailbox.busy_since is None
    put(mailbox, 0)
    next(batches)
    assert mailbox.busy_since == 77.0
    mailbox.close()
    assert list(batches) == []
    assert mailbox.busy_since is None
