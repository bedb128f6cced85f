"""Mostly in one thread: a queue that holds something never waits."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from types import SimpleNamespace

import pytest

from pipeline.live.latest_frames import LatestFrames
from pipeline.runtime.channel import ChannelCancelled
from pipeline.runtime.stage_group import StageGroup
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
def frames(status: RunStatus, clock: Clock) -> LatestFrames:
    return LatestFrames(3, 0.5, status, clock)


def put(frames: LatestFrames, *indices: int, camera_id: str = "gate") -> None:
    """Frames that are all fresh, distinguished by their index."""
    for index in indices:
        frame = make_frame(index, camera_id=camera_id)
        fresh = Frame(camera_id, index, frame.pts_s, NOW, frame.image, NOW)
        frames.put(fresh)


def shown(batch: list[Frame | StreamEnd]) -> list[str]:
    return [
        f"{item.camera_id} {item.index if isinstance(item, Frame) else item.reason}"
        for item in batch
    ]


def drops(status: RunStatus, camera_id: str = "gate") -> dict[str, int]:
    snapshot = status.snapshot()
    [camera] = [one for one in snapshot.cameras if one.camera_id == camera_id]
    return {cause: count for cause, count in camera.drops.items() if count}


def test_a_batch_has_the_oldest_frame_of_each_camera(frames: LatestFrames) -> None:
    put(frames, 0, 1)
    put(frames, 5, camera_id="yard")
    batches = frames.batches(8)
    assert shown(next(batches)) == ["gate 0", "yard 5"]
    assert shown(next(batches)) == ["gate 1"]


def test_putting_never_waits_and_the_oldest_of_the_same_camera_is_dropped_first(
    frames: LatestFrames, status: RunStatus
) -> None:
    put(frames, 0, camera_id="yard")
    put(frames, *range(10))
    assert len(frames) == 4
    assert (drops(status), drops(status, "yard")) == ({"full": 7}, {})
    batches = frames.batches(8)
    assert shown(next(batches)) == ["yard 0", "gate 7"]
    assert [shown(next(batches)) for _ in range(2)] == [["gate 8"], ["gate 9"]]


def test_a_frame_that_waited_too_long_is_passed_over_and_counted(
    frames: LatestFrames, status: RunStatus, clock: Clock
) -> None:
    frames.put(make_frame(0))
    frames.put(make_frame(1))
    frames.put(make_frame(1, camera_id="yard"))
    clock.now = NOW + 1.5
    assert shown(next(frames.batches(8))) == ["gate 1", "yard 1"]
    assert (drops(status), drops(status, "yard")) == ({"stale": 1}, {})


def test_what_counts_is_how_long_a_frame_waited_and_not_how_long_it_travelled(
    frames: LatestFrames, clock: Clock
) -> None:
    image = make_frame().image
    frames.put(Frame("gate", 0, 0.0, NOW - 30.0, image, NOW))
    clock.now = NOW + 0.5
    assert shown(next(frames.batches(8))) == ["gate 0"]


def test_when_all_that_waits_is_stale_the_consumer_gets_the_next_fresh_one(
    frames: LatestFrames, status: RunStatus, clock: Clock
) -> None:
    put(frames, 0, 1)
    put(frames, 0, camera_id="yard")
    clock.now = NOW + 7.0
    frames.add_camera()
    received = list[list[str]]()
    consumer = threading.Thread(
        target=lambda: received.extend(shown(batch) for batch in frames.batches(8))
    )
    consumer.start()
    frames.put(make_frame(7))
    frames.finish()
    frames.close()
    consumer.join()
    assert received == [["gate 7"]]
    assert (drops(status), drops(status, "yard")) == ({"stale": 2}, {"stale": 1})


def test_the_end_of_a_stream_is_never_dropped_and_keeps_its_place(
    frames: LatestFrames, clock: Clock
) -> None:
    put(frames, 0)
    frames.put(StreamEnd("gate", "stalled"))
    put(frames, 1, 2, 3, 4)
    frames.put(StreamEnd("gate", "disconnected"))
    put(frames, 5)
    batches = frames.batches(8)
    assert shown(next(batches)) == ["gate stalled", "gate 3"]
    clock.now = NOW + 60.0
    assert shown(next(batches)) == ["gate disconnected"]


def test_ends_alone_are_handed_on_without_a_frame_behind_them(frames: LatestFrames) -> None:
    for _ in range(5):
        frames.put(StreamEnd("gate", "stalled"))
    frames.put(StreamEnd("yard", "stopped"))
    assert shown(next(frames.batches(1))) == [*["gate stalled"] * 5, "yard stopped"]


def test_ends_are_no_frames_of_the_batch(frames: LatestFrames) -> None:
    frames.put(StreamEnd("gate", "stalled"))
    put(frames, 0)
    put(frames, 0, camera_id="yard")
    frames.put(StreamEnd("hall", "stalled"))
    batches = frames.batches(1)
    assert shown(next(batches)) == ["gate stalled", "gate 0"]
    assert shown(next(batches)) == ["yard 0"]
    assert shown(next(batches)) == ["hall stalled"]


def test_cameras_take_turns_when_the_detector_is_too_slow(frames: LatestFrames) -> None:
    """Five cameras bring a frame each while the detector takes two."""
    cameras = ("gate", "yard", "hall", "lift", "roof")
    taken = dict.fromkeys(cameras, 0)
    batches = frames.batches(2)
    for index in range(100):
        for camera_id in cameras:
            put(frames, index, camera_id=camera_id)
        batch = next(batches)
        assert len({item.camera_id for item in batch}) == len(batch) == 2
        for item in batch:
            taken[item.camera_id] += 1
    assert set(taken.values()) == {40}


def test_a_fast_camera_gets_no_more_than_its_turn(frames: LatestFrames, status: RunStatus) -> None:
    batches = frames.batches(1)
    taken = {"gate": 0, "yard": 0}
    for index in range(50):
        put(frames, *range(10 * index, 10 * index + 10))
        put(frames, index, camera_id="yard")
        [item] = next(batches)
        taken[item.camera_id] += 1
    assert taken == {"gate": 25, "yard": 25}
    assert drops(status)["full"] + 25 + 3 >= 500 > drops(status)["full"] + 25


def test_what_is_taken_is_reported_with_its_age(
    frames: LatestFrames, status: RunStatus, clock: Clock
) -> None:
    status.set_state("gate", "up")
    image = make_frame().image
    frames.put(Frame("gate", 0, 0.0, NOW - 0.2, image, NOW))
    frames.put(StreamEnd("yard", "stalled"))
    clock.now = NOW + 0.1
    next(frames.batches(8))
    snapshot = status.snapshot()
    assert snapshot.cameras[0].staleness_s == pytest.approx(0.3)
    assert [one.frames_detected for one in snapshot.cameras[:2]] == [1, 0]
    assert snapshot.detect_batch == 1.0


def test_it_ends_when_it_is_closed_and_every_camera_has_finished(frames: LatestFrames) -> None:
    frames.add_camera()
    frames.add_camera()
    batches = frames.batches(8)
    frames.put(make_frame(0))
    assert shown(next(batches)) == ["gate 0"]
    frames.finish()
    frames.put(StreamEnd("yard", "stopped"))
    frames.finish()
    frames.close()
    assert shown(next(batches)) == ["yard stopped"]
    assert list(batches) == []


def _takes(frames: LatestFrames) -> tuple[threading.Thread, threading.Event]:
    ended = threading.Event()

    def take() -> None:
        for _ in frames.batches(8):
            pass
        ended.set()

    thread = threading.Thread(target=take)
    thread.start()
    return thread, ended


@pytest.fixture
def taker(frames: LatestFrames) -> Iterator[threading.Event]:
    """Set once everything has come to an end."""
    thread, ended = _takes(frames)
    yield ended
    frames.cancel()
    thread.join()


def test_it_does_not_end_while_a_camera_is_open(
    frames: LatestFrames, taker: threading.Event
) -> None:
    frames.add_camera()
    frames.close()
    assert not taker.wait(0.05)
    frames.finish()
    assert taker.wait(10.0)


def test_it_does_not_end_while_another_camera_may_come(
    frames: LatestFrames, taker: threading.Event
) -> None:
    frames.add_camera()
    frames.finish()
    assert not taker.wait(0.05)
    frames.close()
    assert taker.wait(10.0)


def test_without_any_camera_it_ends_when_it_is_closed(
    frames: LatestFrames, taker: threading.Event
) -> None:
    frames.close()
    assert taker.wait(10.0)


def test_cancelling_wakes_the_consumer_and_refuses_what_still_comes(
    frames: LatestFrames, taker: threading.Event
) -> None:
    frames.add_camera()
    frames.cancel()
    assert taker.wait(10.0)
    with pytest.raises(ChannelCancelled):
        frames.put(make_frame(0))
    frames.finish()


def test_cancelling_drops_what_waits(frames: LatestFrames) -> None:
    put(frames, 0, 1)
    frames.cancel()
    assert len(frames) == 0
    assert list(frames.batches(8)) == []


def test_cancelling_ends_the_readers_of_a_group_and_everything(frames: LatestFrames) -> None:
    """A reader may wait for its camera: its own event ends it, not a full queue."""
    stop = threading.Event()

    def wait_for_frames() -> Generator[Frame, None, None]:
        stop.wait()
        yield from ()

    with StageGroup(threading.Event()) as stages:
        frames.add_camera()
        stages.start("test-reader", wait_for_frames(), frames, stop=stop)
        stages.cancel()
    assert stop.is_set()
    assert list(frames.batches(8)) == []


def test_the_consumer_is_busy_from_a_batch_until_it_asks_for_the_next(
    frames: LatestFrames, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.live.latest_frames.time", SimpleNamespace(monotonic=lambda: 77.0))
    batches = frames.batches(8)
    assert frames.busy_since is None
    put(frames, 0)
    next(batches)
    assert frames.busy_since == 77.0
    frames.close()
    assert list(batches) == []
    assert frames.busy_since is None
