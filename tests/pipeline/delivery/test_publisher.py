"""From disk to Redis, whatever happens to the server meanwhile."""

from __future__ import annotations

import json
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
import redis

from pipeline.delivery.camera_heartbeat import CameraHeartbeat
from pipeline.delivery.publisher import Publisher
from pipeline.delivery.storage.outbox import Outbox
from pipeline.delivery.storage.outbox_file import StoredEvent
from pipeline.delivery.storage.quarantine import quarantine_of
from pipeline.delivery.stream_writer import Appended, EventStream, Trimming
from pipeline.errors import EventStoreError, OutboxError
from pipeline.events import Event, SequenceGap, decode_event
from pipeline.redis_store.embedded_redis import embedded_redis
from testbed.tcp_proxy import proxy_to
from tests.pipeline.conftest import STREAM
from tests.pipeline.decided_items import (
    make_camera_event,
    make_end,
    make_event,
    make_item,
    stored,
)


class FakeStream:
    """A server in memory that can be away, or lose its newest events."""

    name = "redis://fake"

    def __init__(self) -> None:
        self.entries: list[tuple[str, int]] = []
        self.away = False
        self.changed = threading.Condition()
        self.tried = threading.Event()

    def append(self, events: Sequence[StoredEvent]) -> Appended:
        with self.changed:
            self.tried.set()
            if self.away:
                raise EventStoreError("Redis at redis://fake does not answer")
            added = known = 0
            for event in events:
                newest = max((seq for name, seq in self.entries if name == event.origin), default=0)
                if event.seq <= newest:
                    known += 1
                elif event.prev > newest:
                    return Appended(
                        added, known, SequenceGap(event.origin, newest + 1, event.seq - 1)
                    )
                else:
                    self.entries.append((event.origin, event.seq))
                    added += 1
            return Appended(added, known, None)

    def newest_of_run(self, run_id: str) -> dict[str, int]:
        if self.away:
            raise EventStoreError("Redis at redis://fake does not answer")
        of_run = [entry for entry in self.entries if entry[0].startswith(f"{run_id}/")]
        return {origin: max(seq for name, seq in of_run if name == origin) for origin, _ in of_run}

    def events_behind(self, origin: str, seq: int, newest_seq: int) -> list[Event]:
        return [make_event(number) for number in range(seq + 1, newest_seq + 1)]

    def unsaved_bytes(self) -> int:
        return 0

    def ping(self) -> None:
        if self.away:
            raise EventStoreError("Redis at redis://fake does not answer")

    def warnings(self) -> list[str]:
        return ["it forgets"]


@pytest.fixture
def fake() -> FakeStream:
    return FakeStream()


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    with Outbox(tmp_path / "own.outbox") as outbox:
        yield outbox


@contextmanager
def publishing(
    stream: object, *outboxes: Outbox, heartbeat: CameraHeartbeat | None = None
) -> Iterator[Publisher]:
    publisher = Publisher(outboxes, stream, heartbeat)  # type: ignore[arg-type]
    publisher.start()
    try:
        yield publisher
    finally:
        publisher.stop()


def append(outbox: Outbox, publisher: Publisher, *seqs: int, camera: str = "gate") -> None:
    outbox.append([make_event(seq, camera_id=camera) for seq in seqs])
    publisher.wake()


def test_events_arrive_in_order(
    fake: FakeStream, outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    with publishing(fake, outbox) as publisher:
        for seq in range(1, 501):
            append(outbox, publisher, seq)
        assert publisher.drain(30.0) == 0
    assert fake.entries == [("run/gate", seq) for seq in range(1, 501)]
    assert publisher.counts.delivered == 500
    assert caplog.text.count("it forgets") == 1


def test_an_outage_delays_and_is_logged_once(
    fake: FakeStream, outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    fake.away = True
    with publishing(fake, outbox) as publisher:
        append(outbox, publisher, 1, 2)
        assert publisher.drain(0.5) == 2
        assert publisher.last_error is not None
        append(outbox, publisher, 3)
        fake.away = False
        assert publisher.drain(30.0) == 0
        assert publisher.last_error is None
    assert fake.entries == [("run/gate", seq) for seq in (1, 2, 3)]
    assert publisher.counts.outages == 1
    logged = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(logged) == 3
    assert "does not answer" in logged[0]
    assert logged[1] == "it forgets"
    assert "accepts events again" in logged[2]


def test_what_the_server_lost_is_sent_again(fake: FakeStream, outbox: Outbox) -> None:
    with publishing(fake, outbox) as publisher:
        append(outbox, publisher, 1, 2, 3)
        append(outbox, publisher, 1, camera="yard")
        assert publisher.drain(30.0) == 0
        with fake.changed:
            del fake.entries[1:]  # it came back without its last entries
        append(outbox, publisher, 4)
        append(outbox, publisher, 2, camera="yard")
        assert publisher.drain(30.0) == 0
    gate = [seq for origin, seq in fake.entries if origin == "run/gate"]
    yard = [seq for origin, seq in fake.entries if origin == "run/yard"]
    assert (gate, yard) == ([1, 2, 3, 4], [1, 2])
    assert publisher.counts.missing == 0


def test_an_entry_that_exists_nowhere_any_more_is_a_counted_gap(
    fake: FakeStream, outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    with publishing(fake, outbox) as publisher:
        append(outbox, publisher, 1, 2, 3)
        assert publisher.drain(30.0) == 0
        outbox.forget(after_s=-1.0)
        fake.entries.clear()
        append(outbox, publisher, 4, 5)
        assert publisher.drain(30.0) == 0
    assert fake.entries == [("run/gate", 4), ("run/gate", 5)]
    assert publisher.counts.missing == 3
    assert "3 events of run/gate are missing" in caplog.text
    assert "numbers 1 to 3" in caplog.text


def test_what_dead_runs_left_comes_first_and_is_removed(
    fake: FakeStream, outbox: Outbox, tmp_path: Path
) -> None:
    left = []
    for name in ("first", "second"):
        box = Outbox(tmp_path / f"{name}.outbox")
        box.append([make_event(1, run_id=name), make_event(2, "end", run_id=name)])
        left.append(box)
    outbox.append([make_event(1)])
    with publishing(fake, *left, outbox) as publisher:
        assert publisher.drain(30.0) == 0
    assert [origin for origin, _ in fake.entries] == [
        *["first/gate"] * 2,
        *["second/gate"] * 2,
        "run/gate",
    ]
    assert [path.name for path in tmp_path.glob("*.outbox")] == ["own.outbox"]


def kinds_on(client: redis.Redis) -> list[tuple[int, str]]:
    events = [decode_event(fields[b"event"]) for _, fields in client.xrange(STREAM)]
    return [(event.seq, event.kind) for event in events]


def publish_left(stream: EventStream, box: Outbox) -> Publisher:
    publisher = Publisher([box], stream, has_own=False)
    publisher.start()
    assert publisher.drain(60.0) == 0
    publisher.stop()
    return publisher


def test_what_a_killed_run_left_open_is_ended(
    stream: EventStream, client: redis.Redis, tmp_path: Path
) -> None:
    box = Outbox(tmp_path / "run-a1.outbox")
    box.append([make_camera_event(1), make_event(2)])
    assert publish_left(stream, box).counts.delivered == 4
    assert kinds_on(client) == [(1, "camera_up"), (2, "start"), (3, "end"), (4, "camera_down")]
    assert list(tmp_path.iterdir()) == []


def test_ends_are_numbered_behind_what_a_power_cut_took_and_redis_has(
    stream: EventStream, client: redis.Redis, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = [make_camera_event(1), make_event(2, instance_id="a"), make_event(3, instance_id="b")]
    lost = [
        make_event(4, "update", instance_id="a"),
        make_event(5, instance_id="c"),
        make_event(6, "end", instance_id="b"),
        make_event(7, instance_id="d"),
    ]
    other = make_camera_event(1, camera_id="yard")  # nothing of this camera reached the disk
    stream.append([stored(event) for event in [*before, *lost, other]])
    box = Outbox(tmp_path / "run-a1.outbox")
    box.append(before)
    publish_left(stream, box)
    entries: list[tuple[bytes, dict[bytes, bytes]]] = client.xrange(STREAM)  # type: ignore[assignment]
    events = [decode_event(fields[b"event"]) for _, fields in entries]
    ends = [(event.interval_id, event.seq) for event in events[8:]]
    assert ends == [("a", 8), ("c", 9), ("d", 10), ("run/gate", 11), ("run/yard", 2)]
    assert "has lost the events 4 to 7 of run/gate" in caplog.text


def test_ends_are_numbered_behind_events_that_are_no_longer_on_the_stream(
    stream: EventStream, client: redis.Redis, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stream.append([stored(make_event(seq)) for seq in (1, 2, 3)])
    client.xtrim(STREAM, maxlen=0, approximate=False)
    box = Outbox(tmp_path / "run-a1.outbox")
    box.append([make_event(1)])
    publish_left(stream, box)
    assert kinds_on(client) == [(4, "end")]
    assert "2 of them are no longer on the stream" in caplog.text


def test_a_known_number_with_another_text_is_set_aside_and_named(
    stream: EventStream, client: redis.Redis, outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    stream.append([stored(make_event(1)), stored(make_event(2, action="hugging"))])
    with publishing(stream, outbox) as publisher:
        append(outbox, publisher, 1, 2, 3)
        assert publisher.drain(60.0) == 0
    assert publisher.counts.differing == 1
    (line,) = quarantine_of(outbox.path).read_text().splitlines()
    assert '"walking' in json.loads(line)["record"][4]
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "has another event as number 2 of run/gate" in errors[0].getMessage()


def test_what_an_older_version_left_is_delivered_though_it_cannot_be_ended(
    fake: FakeStream, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    box = Outbox(tmp_path / "run-a1.outbox")
    box.append([make_event(1)])
    box._unfinished = {
        what: text.replace('"schema":4', '"schema":1') for what, text in box._unfinished.items()
    }
    publish_left(fake, box)  # type: ignore[arg-type]
    assert fake.entries == [("run/gate", 1)]
    assert "cannot be ended: this program reads event schema 4" in caplog.text


def test_a_disk_that_cannot_be_read_delays_as_an_outage_does(
    fake: FakeStream, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = threading.Event()

    def refuse(row_id: int, limit: int) -> list[StoredEvent]:
        refused.set()
        raise OutboxError("cannot keep events in own.outbox: disk I/O error")

    with publishing(fake, outbox) as publisher:
        with monkeypatch.context() as patched:
            patched.setattr(outbox, "after", refuse)
            append(outbox, publisher, 1)
            assert refused.wait(60.0)
        assert publisher.drain(60.0) == 0
    assert fake.entries == [("run/gate", 1)]


def test_an_outbox_that_contradicts_itself_is_no_endless_loop(
    fake: FakeStream, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    with publishing(fake, outbox) as publisher:
        append(outbox, publisher, 1, 2, 3)
        assert publisher.drain(60.0) == 0
        del fake.entries[:]
        first = outbox.after(0, 1)[0]
        outbox.forget(after_s=-1.0)
        monkeypatch.setattr(outbox, "next_of", lambda origin, seq: first)  # it has it not
        append(outbox, publisher, 4)
        assert publisher.drain(60.0) == 0
    assert fake.entries == [("run/gate", 4)]
    assert publisher.counts.missing == 3


def test_what_a_server_loses_of_an_earlier_run_is_sent_again(
    fake: FakeStream, outbox: Outbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = Outbox(tmp_path / "left-a1.outbox")
    box.append([make_event(1, run_id="left"), make_event(2, "end", run_id="left")])
    later = threading.Event()
    clock = SimpleNamespace(
        monotonic=lambda: time.monotonic() + 60 * later.is_set(), time=time.time
    )
    monkeypatch.setattr("pipeline.delivery.publisher.time", clock)
    with publishing(fake, box, outbox) as publisher:
        assert publisher.drain(60.0) == 0
        assert box.path.exists()
        with fake.changed:
            fake.entries.pop()  # no camera of that run will ever show the gap
        later.set()
        publisher.wake()
        deadline = time.monotonic() + 60.0
        while ("left/gate", 2) not in fake.entries:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert fake.entries == [("left/gate", 1), ("left/gate", 2)]
    assert not box.path.exists()


def test_a_wait_lasts_as_long_as_events_move(
    fake: FakeStream, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox.append([make_event(seq) for seq in range(1, 4001)])
    append_to_fake, clock_s = fake.append, [0.0]

    def slowly(events: Sequence[StoredEvent]) -> Appended:
        time.sleep(0.1)  # the wait looks several times a batch
        clock_s[0] += 0.5
        return append_to_fake(events)

    fake.append = slowly  # type: ignore[method-assign]
    clock = SimpleNamespace(monotonic=lambda: clock_s[0], time=time.time)
    monkeypatch.setattr("pipeline.delivery.publisher.time", clock)
    with publishing(fake, outbox) as publisher:
        assert publisher.drain(1.0) == 0
    assert clock_s[0] == 10.0  # twenty batches


def test_a_wait_can_be_given_up(fake: FakeStream, outbox: Outbox) -> None:
    fake.away = True
    give_up = threading.Event()
    with publishing(fake, outbox) as publisher:
        append(outbox, publisher, 1)
        give_up.set()
        assert publisher.drain(600.0, give_up) == 1


def test_a_fault_of_the_thread_is_raised_where_it_is_noticed(
    fake: FakeStream, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(events: Sequence[StoredEvent]) -> Appended:
        raise ZeroDivisionError

    monkeypatch.setattr(fake, "append", break_down)
    publisher = Publisher([outbox], fake)  # type: ignore[arg-type]
    publisher.start()
    append(outbox, publisher, 1)
    assert publisher.drain(30.0) == 1
    with pytest.raises(ZeroDivisionError):
        publisher.check()
    with pytest.raises(ZeroDivisionError):
        publisher.stop()


def numbers(client: redis.Redis) -> list[int]:
    return [decode_event(fields[b"event"]).seq for _, fields in client.xrange(STREAM)]


def test_a_server_that_is_killed_gets_everything_once(tmp_path: Path) -> None:
    def serve(wait: Callable[[str, redis.Redis], None]) -> None:
        with embedded_redis(tmp_path / "redis") as url, redis.Redis.from_url(url) as client:
            wait(url, client)

    seen: list[int] = []
    for life in range(3):  # another outbox per life, as another run has

        def live(url: str, client: redis.Redis, life: int = life) -> None:
            with (
                EventStream(url, stream=STREAM, trimming=Trimming(10_000)) as stream,
                Outbox(tmp_path / f"{life}.outbox") as outbox,
                publishing(stream, outbox) as publisher,
            ):
                for seq in range(1, 301):
                    outbox.append([make_event(seq, run_id=str(life))])
                publisher.wake()
                assert publisher.drain(30.0) == 0
                os.kill(client.info("server")["process_id"], signal.SIGKILL)

        serve(live)

    def inspect_stream(url: str, client: redis.Redis) -> None:
        seen.extend(numbers(client))

    serve(inspect_stream)
    assert seen == [*range(1, 301)] * 3


def test_a_line_that_breaks_again_and_again_doubles_nothing(
    server: str, client: redis.Redis, outbox: Outbox
) -> None:
    with (
        proxy_to(server) as proxy,
        EventStream(proxy.url, stream=STREAM, trimming=Trimming(10_000)) as stream,
        publishing(stream, outbox) as publisher,
    ):
        for seq in range(1, 301):
            append(outbox, publisher, seq)
            if seq % 10 == 0:
                proxy.drop_next_reply.set()
            if seq % 37 == 0:
                proxy.cut()
        assert publisher.drain(60.0) == 0
        assert proxy.dropped > 0
    assert numbers(client) == list(range(1, 301))


def test_the_state_of_cameras_is_written_with_a_time_to_live(
    server: str, client: redis.Redis, outbox: Outbox
) -> None:
    heartbeat = CameraHeartbeat("run")
    heartbeat.record(make_item())
    with (
        EventStream(server, stream=STREAM, trimming=Trimming(10)) as stream,
        publishing(stream, outbox, heartbeat=heartbeat) as publisher,
    ):
        append(outbox, publisher, 1)
        assert publisher.drain(30.0) == 0
    key = f"{{{STREAM}}}:camera:gate"
    state = client.hgetall(key)
    assert state[b"state"] == b"up"
    assert state[b"run_id"] == b"run"
    assert 0 < client.pttl(key) <= 10_000


def test_that_a_camera_went_down_is_written_before_a_run_ends(
    server: str, client: redis.Redis, outbox: Outbox
) -> None:
    heartbeat = CameraHeartbeat("run")
    heartbeat.record(make_item())
    with (
        EventStream(server, stream=STREAM, trimming=Trimming(10)) as stream,
        publishing(stream, outbox, heartbeat=heartbeat) as publisher,
    ):
        append(outbox, publisher, 1)
        assert publisher.drain(30.0) == 0
        heartbeat.record(make_end())
        append(outbox, publisher, 2)
        assert publisher.drain(30.0) == 0
    assert client.hget(f"{{{STREAM}}}:camera:gate", "state") == b"down"


def test_it_reports_how_long_each_event_of_this_run_waited(
    fake: FakeStream, tmp_path: Path
) -> None:
    waited = list[float]()
    with (
        Outbox(tmp_path / "left.outbox", now=lambda: 0.0) as left,
        Outbox(tmp_path / "own.outbox", now=lambda: 1000.0) as own,
    ):
        left.append([make_event(1, "end", camera_id="yard")])
        own.append([make_event(1), make_event(2)])
        publisher = Publisher(
            [left, own],
            fake,  # type: ignore[arg-type]
            now=lambda: 1002.5,
            published=lambda event, at: waited.append(at - event.kept_since),
        )
        publisher.start()
        assert publisher.drain(30.0) == 0
        publisher.stop()
    assert len(fake.entries) == 3
    assert waited == [2.5, 2.5]
