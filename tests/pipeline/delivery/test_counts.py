"""Rows about zones on their way to Redis: each once, and no stage waits for it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import replace

import pytest
import redis

from pipeline.config.delivery import RedisConfig
from pipeline.delivery.counts import CountsSink, CountsStream, deliver_counts
from pipeline.errors import EventStoreError
from pipeline.subscriber import read_zone_rows
from pipeline.types import DecidedEnd, DecidedFrame, StreamEnd, ZoneState
from pipeline.zone_minutes import ZoneMinute
from tests.pipeline.decided_items import make_item

NEVER = threading.Event()


def frame(pts_s: float, *zones: str) -> DecidedFrame:
    states = tuple(ZoneState(zone, ()) for zone in zones)
    return replace(make_item(0, pts_s=pts_s), zones=states)


END = DecidedEnd(StreamEnd("gate"), ())


def row(seq: int, camera_id: str = "gate") -> ZoneMinute:
    return ZoneMinute(
        row_id=f"run/{camera_id}/counts/{seq}",
        run_id="run",
        camera_id=camera_id,
        seq=seq,
        zone="hall",
        start_time=None,
        start_pts_s=60.0 * seq,
        seconds=60.0,
        people_mean=0.0,
        people_max=0,
        people_last=0,
        entered=0,
        left=0,
        dwell_s=0.0,
    )


class FakeStream(CountsStream):
    """A server that can be away."""

    def __init__(self) -> None:
        self.name, self.rows = "fake", list[ZoneMinute]()
        self.is_away, self.asked = threading.Event(), threading.Semaphore(0)

    def append(self, rows: Sequence[ZoneMinute]) -> None:
        self.asked.release()
        if self.is_away.is_set():
            raise EventStoreError("Redis at fake does not answer")
        self.rows += rows

    def close(self) -> None:
        """Nothing is open."""


def test_rows_wait_while_the_server_is_away_and_the_outage_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    stream = FakeStream()
    stream.is_away.set()
    sink = CountsSink(stream, "run", lambda one: None)
    sink.start()
    for minute in range(4):
        sink.write(frame(60.0 * minute, "hall", "yard"))
    assert stream.asked.acquire(timeout=60)
    assert stream.asked.acquire(timeout=60)  # a second attempt
    assert stream.rows == []
    stream.is_away.clear()
    assert sink.finish(60, NEVER) == 0
    assert [(one.zone, one.seq) for one in stream.rows] == [
        ("hall", 1), ("yard", 2), ("hall", 3), ("yard", 4), ("hall", 5), ("yard", 6),
    ]  # fmt: skip
    assert [one.message.partition(";")[0] for one in caplog.records] == [
        "Redis at fake does not answer",
        "fake takes rows of zones again",
    ]


def test_the_oldest_rows_are_dropped_when_too_many_wait() -> None:
    stream = FakeStream()
    stream.is_away.set()
    sink = CountsSink(stream, "run", lambda one: None, most_waiting=3)
    sink.start()
    for minute in range(6):
        sink.write(frame(60.0 * minute, "hall"))
    assert sink.finish(0.0, NEVER) == 3
    assert stream.rows == []


@pytest.mark.parametrize("is_cancelled", [True, False])
def test_a_server_that_never_answers_does_not_hold_the_end_of_a_run(is_cancelled: bool) -> None:
    stream, answers, finished = FakeStream(), threading.Event(), threading.Event()

    def hang(rows: Sequence[ZoneMinute]) -> None:
        stream.asked.release()
        assert answers.wait(60.0)

    stream.append = hang  # type: ignore[method-assign]
    sink = CountsSink(stream, "run", lambda one: None)
    sink.start()
    sink.write(frame(0.0, "hall"))
    sink.write(END)
    assert stream.asked.acquire(timeout=60.0)
    cancelled = threading.Event()
    if is_cancelled:
        cancelled.set()

    def finish() -> None:
        if sink.finish(60.0 if is_cancelled else 0.1, cancelled) == 1:
            finished.set()

    threading.Thread(target=finish, daemon=True).start()
    try:
        assert finished.wait(30.0)
    finally:
        answers.set()


def test_a_camera_without_zones_asks_nothing_of_the_server() -> None:
    stream = FakeStream()
    sink = CountsSink(stream, "run", lambda one: None)
    sink.start()
    for item in (make_item(0), END):
        sink.write(item)
    assert sink.finish(60, NEVER) == 0
    assert not stream.asked.acquire(blocking=False)


def test_a_row_that_is_sent_again_is_on_the_stream_once(server: str, client: redis.Redis) -> None:
    stream = CountsStream(server, "test:counts", 1000, "run")
    stream.append([row(1), row(2)])
    stream.append([row(2), row(3), row(1, "yard")])
    stream.append([row(1)])
    found = [one.row_id for _, one in read_zone_rows(server, stream="test:counts")]
    assert found == [
        "run/gate/counts/1",
        "run/gate/counts/2",
        "run/gate/counts/3",
        "run/yard/counts/1",
    ]
    assert 0 < client.ttl("{test:counts}:newest:run") <= 7 * 86_400
    stream.close()


def test_a_reader_begins_behind_an_entry_and_skips_what_is_no_row(
    server: str, client: redis.Redis
) -> None:
    stream = CountsStream(server, "test:counts", 1000, "run")
    stream.append([row(1)])
    client.xadd("test:counts", {"counts": "nonsense"})
    client.xadd("test:counts", {"other": "field"})
    stream.append([row(2)])
    stream.close()
    (first_id, _), (_, second) = read_zone_rows(server, stream="test:counts")
    assert second == row(2)
    [(_, again)] = read_zone_rows(server, stream="test:counts", start=first_id)
    assert again == row(2)
    following = read_zone_rows(server, stream="test:counts", start=first_id, follow=True)
    assert next(following)[1] == row(2)
    following.close()


def test_a_run_leaves_its_last_rows_on_the_stream(server: str, client: redis.Redis) -> None:
    section = RedisConfig(url=server, counts_stream="test:counts", wait_s=60)
    delivery = deliver_counts(server, section, "run", lambda one: None, NEVER, is_live=False)
    with delivery as sink:
        for item in (frame(0.0, "hall"), frame(1.0, "hall"), END):
            sink.write(item)
    [(_, last)] = read_zone_rows(server, stream="test:counts")
    assert (last.zone, last.seconds) == ("hall", 1.0)


def test_rows_that_a_run_cannot_deliver_are_said_to_be_lost(
    caplog: pytest.LogCaptureFixture,
) -> None:
    url = "redis://:hunter2@127.0.0.1:1/0"
    section = RedisConfig(url=url, wait_s=0)
    with deliver_counts(url, section, "run", lambda one: None, NEVER, is_live=True) as sink:
        for item in (frame(0.0, "hall"), frame(1.0, "hall"), END):
            sink.write(item)
    assert "lacks 1 rows of zones; they are lost" in caplog.text
    assert "hunter2" not in caplog.text
