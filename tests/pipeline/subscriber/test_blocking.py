"""What a subscriber is given: everything once it can be had, again if it was not dealt with."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from pipeline.delivery.camera_heartbeat import CameraHeartbeat
from pipeline.delivery.outbox import Outbox
from pipeline.delivery.publisher import Publisher
from pipeline.delivery.stream_writer import EventStream, Trimming
from pipeline.errors import EventStoreError
from pipeline.event_filter import EventFilter
from pipeline.events import Event, SequenceGap, encode_event
from pipeline.subscriber import AsyncSubscriber, GapError, Subscriber
from pipeline.subscriber.protocol import Command
from pipeline.subscriber.reports import (
    BadEntry,
    DeadLetter,
    Duplicate,
    GroupLost,
    Report,
    Trimmed,
)
from testbed.tcp_proxy import proxy_to
from tests.conftest import REPOSITORY
from tests.pipeline.conftest import STREAM
from tests.pipeline.decided_items import make_camera_event, make_event, stored

NOW = 1_700_000_000.0
QUIET_S = 1.0


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Reader:
    """A subscriber with everything that it reported."""

    def __init__(self, url: str, **options: Any) -> None:
        self.reports: list[Report] = []
        defaults = {"stream": STREAM, "start": "0", "block_s": 0.05, "consumer": "one"}
        self.subscriber = Subscriber(url, on_report=self.reports.append, **(defaults | options))

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *error: object) -> None:
        self.subscriber.close()

    def take(self, count: int) -> list[int]:
        """So many events, all dealt with."""
        seqs: list[int] = []
        self.subscriber._stop.clear()
        for event in self.subscriber:
            seqs.append(event.seq)
            if len(seqs) == count:
                self.subscriber.stop()  # acknowledged before the iteration ends
        return seqs

    def rest(self) -> list[int]:
        """What comes until nothing has come for a while."""
        seqs: list[int] = []
        newest_at = time.monotonic()

        def watch() -> None:
            while time.monotonic() < newest_at + QUIET_S:
                time.sleep(0.02)
            self.subscriber.stop()

        self.subscriber._stop.clear()
        watching = threading.Thread(target=watch)
        watching.start()
        for event in self.subscriber:
            seqs.append(event.seq)
            newest_at = time.monotonic()
        watching.join()
        return seqs


def publish(stream: EventStream, *seqs: int, **changes: Any) -> None:
    stream.append([stored(make_event(seq, **changes)) for seq in seqs], NOW)


def force(client: redis.Redis, *events: Event) -> list[bytes]:
    """Onto the stream as they are, whatever their numbers."""
    return [client.xadd(STREAM, {"event": encode_event(event)}) for event in events]


# --- on its own


def test_alone_it_reads_everything_in_order(stream: EventStream, server: str) -> None:
    publish(stream, *range(1, 251))
    with Reader(server, to_end_only=True) as reader:
        assert [event.seq for event in reader.subscriber] == list(range(1, 251))
        assert reader.reports == []


def test_alone_an_empty_stream_ends_at_once(stream: EventStream, server: str) -> None:
    with Reader(server, to_end_only=True) as reader:
        assert list(reader.subscriber) == []


def test_alone_it_does_not_chase_a_writer(stream: EventStream, server: str) -> None:
    publish(stream, 1, 2)
    with Reader(server, to_end_only=True) as reader:
        reading = iter(reader.subscriber)
        first = next(reading)
        publish(stream, 3)
        assert [first.seq, *(event.seq for event in reading)] == [1, 2]


def test_alone_it_goes_on_where_it_stopped(stream: EventStream, server: str) -> None:
    publish(stream, 1, 2, 3)
    with Reader(server) as reader:
        assert reader.take(2) == [1, 2]
        stopped_at = reader.subscriber.last_entry_id
    assert stopped_at is not None
    with Reader(server, start=stopped_at) as reader:
        assert reader.take(1) == [3]
        assert reader.reports == []


def test_from_now_on_misses_nothing_between_two_reads(
    stream: EventStream, server: str, client: redis.Redis
) -> None:
    publish(stream, 1)
    seqs: list[int] = []

    def publish_when_it_waits() -> None:
        until(lambda: any(other["cmd"] == "xread" for other in client.client_list()))
        publish(stream, 2)

    with Reader(server, start="$") as reader:
        publishing = threading.Thread(target=publish_when_it_waits)
        publishing.start()
        for event in reader.subscriber:
            seqs.append(event.seq)
            publish(stream, event.seq + 1)
            if len(seqs) == 5:
                reader.subscriber.stop()
        publishing.join()
        assert reader.reports == []  # event 1 is not missing: it was there before
    assert seqs == [2, 3, 4, 5, 6]


def test_gaps_duplicates_and_foreign_entries_are_told_and_the_rest_goes_on(
    client: redis.Redis, server: str
) -> None:
    force(client, make_event(1))
    foreign = client.xadd(STREAM, {"hello": "world"}).decode()
    newer = json.dumps({**json.loads(encode_event(make_event(2))), "schema": 99})
    unknown = client.xadd(STREAM, {"event": newer}).decode()
    broken = client.xadd(STREAM, {"event": b"\xff\xfe"}).decode()
    twice = force(client, make_event(4), make_event(4), make_event(5))[1].decode()
    with Reader(server, to_end_only=True) as reader:
        assert [event.seq for event in reader.subscriber] == [1, 4, 5]
    bad = [report for report in reader.reports if isinstance(report, BadEntry)]
    assert [report.entry_id for report in bad] == [foreign, unknown, broken]
    assert "this program reads event schema 3, this event has 99" in bad[1].problem
    rest = [report for report in reader.reports if not isinstance(report, BadEntry)]
    assert rest == [SequenceGap("run/gate", 2, 3), Duplicate("run/gate", 4, twice)]


def test_a_gap_is_an_error_where_that_was_asked_for(client: redis.Redis, server: str) -> None:
    force(client, make_event(1), make_event(3))
    with (
        Reader(server, to_end_only=True, raise_on_gap=True) as reader,
        pytest.raises(GapError, match="events 2 to 2 are missing"),
    ):
        list(reader.subscriber)


def test_a_filter_hides_events_but_not_their_numbers(stream: EventStream, server: str) -> None:
    for seq, action in enumerate(["walk", "fight", "walk", "fight"], start=1):
        publish(stream, seq, action=action)
    stream.append([stored(make_camera_event(5, "camera_down"))], NOW)
    with Reader(server, to_end_only=True, wanted=EventFilter(actions=("fight",))) as reader:
        assert [event.seq for event in reader.subscriber] == [2, 4]
        assert reader.reports == []


def test_a_start_that_is_no_entry_id_is_an_error(server: str) -> None:
    with pytest.raises(ValueError, match="start must be"):
        Subscriber(server, start="yesterday")


def test_a_server_that_refuses_is_an_error_without_the_password(
    server: str, client: redis.Redis
) -> None:
    client.acl_setuser("reader", enabled=True, passwords=["+right"], categories=["+@all"])
    url = server.replace("redis://", "redis://reader:hunter2@")
    with Reader(url) as reader, pytest.raises(EventStoreError, match="refuses user") as failure:
        list(reader.subscriber)
    assert "hunter2" not in str(failure.value)


# --- in a group


def test_a_group_goes_on_where_it_stopped(stream: EventStream, server: str) -> None:
    publish(stream, *range(1, 51))
    with Reader(server, group="alarms") as reader:
        assert reader.take(30) == list(range(1, 31))
    with Reader(server, group="alarms", consumer="another") as reader:
        assert reader.rest() == list(range(31, 51))
        assert reader.reports == []


def test_a_new_group_begins_now_unless_told_otherwise(stream: EventStream, server: str) -> None:
    publish(stream, 1, 2)
    with Reader(server, group="alarms", start="$") as reader:
        assert reader.rest() == []
        publish(stream, 3, 4)
        assert reader.rest() == [3, 4]
        assert reader.reports == []


def test_an_event_whose_block_raised_comes_again(stream: EventStream, server: str) -> None:
    publish(stream, 1, 2, 3)
    with Reader(server, group="alarms") as reader:
        with pytest.raises(ZeroDivisionError):
            for event in reader.subscriber:
                if event.seq == 2:
                    raise ZeroDivisionError
        assert reader.rest() == [2, 3]
        assert reader.rest() == []


def test_what_a_dead_consumer_left_is_taken_by_another(stream: EventStream, server: str) -> None:
    publish(stream, 1, 2, 3)
    dead = Reader(server, group="alarms", consumer="dead")
    reading = iter(dead.subscriber)
    next(reading)
    dead.subscriber._client.close()  # without a word, as a killed process
    with Reader(server, group="alarms", claim_after_s=0.2) as reader:
        assert sorted(reader.take(3)) == [1, 2, 3]
    del reading


def test_what_a_living_consumer_works_on_is_left_to_it(stream: EventStream, server: str) -> None:
    publish(stream, 1, 2, 3)
    with Reader(server, group="alarms", consumer="slow") as slow:
        reading = iter(slow.subscriber)
        next(reading)
        with Reader(server, group="alarms", claim_after_s=60.0) as reader:
            assert reader.rest() == []


def test_leaving_in_order_hands_back_what_was_not_begun(stream: EventStream, server: str) -> None:
    publish(stream, *range(1, 6))
    with Reader(server, group="alarms", consumer="first") as first:
        assert first.take(2) == [1, 2]  # and five were read
    with Reader(server, group="alarms", claim_after_s=60.0) as reader:
        assert reader.take(3) == [3, 4, 5]


def test_after_its_last_try_an_event_is_put_aside(
    stream: EventStream, server: str, client: redis.Redis
) -> None:
    publish(stream, 1, 2)
    tries: Counter[int] = Counter()

    def fail_on_one(event: Event) -> None:
        tries[event.seq] += 1
        if event.seq == 1:
            raise ValueError("the bell is broken")

    with Reader(server, group="alarms", max_tries=3, retry_after_s=0.01) as reader:

        def stop_when_it_was_put_aside() -> None:
            until(lambda: reader.reports)
            reader.subscriber.stop()

        watching = threading.Thread(target=stop_when_it_was_put_aside)
        watching.start()
        assert reader.subscriber.handle(fail_on_one) == 1
        watching.join()
        assert tries == {1: 3, 2: 1}
        ((_, fields),) = client.xrange(f"{{{STREAM}}}:dead:alarms")
        assert fields[b"event"].decode() == encode_event(make_event(1))
        assert fields[b"tries"] == b"3"
        assert [type(report) for report in reader.reports] == [DeadLetter]
        assert client.xpending(STREAM, "alarms")["pending"] == 0


def test_a_program_that_dies_of_an_event_meets_it_a_few_times_only(
    stream: EventStream, server: str
) -> None:
    publish(stream, 1, 2)
    met = []
    for _ in range(5):
        with Reader(server, group="alarms", max_tries=3) as reader:
            for event in reader.subscriber:
                met.append(event.seq)
                if event.seq == 2:
                    reader.subscriber.stop()
                else:
                    reader.subscriber._client.close()
                    break  # dies with it in hand
        if met[-1] == 2:
            break
    assert met == [1, 1, 1, 2]


def test_several_consumers_share_the_events_and_see_no_gaps(
    stream: EventStream, server: str
) -> None:
    count = 900  # fewer than the stream keeps
    readers = [Reader(server, group="alarms", consumer=str(n)) for n in range(3)]
    taken: list[int] = []
    everything = threading.Event()

    def work(reader: Reader) -> None:
        for event in reader.subscriber:
            taken.append(event.seq)
            if len(taken) >= count:
                everything.set()

    threads = [threading.Thread(target=work, args=(reader,)) for reader in readers]
    for thread in threads:
        thread.start()
    for first in range(1, count, 50):
        publish(stream, *range(first, first + 50))
    assert everything.wait(60)
    for reader, thread in zip(readers, threads, strict=True):
        reader.subscriber.stop()
        thread.join()
        reader.subscriber.close()
    assert sorted(taken) == list(range(1, count + 1))
    assert [report for reader in readers for report in reader.reports] == []


def test_what_was_trimmed_before_the_group_read_it_is_a_gap(
    server: str, client: redis.Redis
) -> None:
    client.config_set("stream-node-max-entries", 10)  # "~" removes whole blocks only
    with (
        EventStream(server, stream=STREAM, trimming=Trimming(100)) as stream,
        Reader(server, group="alarms") as reader,
    ):
        publish(stream, *range(1, 31))
        assert reader.take(30) == list(range(1, 31))
        publish(stream, *range(31, 500))
        kept = reader.rest()
        assert kept == list(range(kept[0], 500))
        assert 100 <= len(kept) < 469
        assert reader.reports == [SequenceGap("run/gate", 31, kept[0] - 1)]
    client.config_set("stream-node-max-entries", 100)


def test_a_group_that_begins_at_a_trimmed_stream_is_told_what_is_missing(
    client: redis.Redis, server: str
) -> None:
    force(client, make_event(41), make_event(42))
    with Reader(server, group="alarms", start="0") as reader:
        assert reader.rest() == [41, 42]
        assert reader.reports == [SequenceGap("run/gate", 1, 40)]


def test_a_gap_is_told_though_the_reply_that_had_it_was_lost(
    client: redis.Redis, server: str
) -> None:
    force(client, make_event(1))
    with proxy_to(server) as proxy, Reader(proxy.url, group="alarms") as reader:
        assert reader.take(1) == [1]
        reading = reader.subscriber._reader.steps()  # as an iteration goes on
        force(client, make_event(4))
        step = next(reading)
        while isinstance(step, Command) and step.idempotent:
            call = getattr(reader.subscriber._client, step.name)
            step = reading.send(call(*step.arguments, **step.options))
        assert isinstance(step, Command)  # it reads, and the reply does not come
        getattr(reader.subscriber._client, step.name)(*step.arguments, **step.options)
    with Reader(server, group="alarms") as reader:
        assert reader.rest() == [4]
        assert reader.reports == [SequenceGap("run/gate", 2, 3)]
        assert not client.exists(f"{{{STREAM}}}:gaps:alarms")


def test_what_was_given_out_and_then_trimmed_is_told(
    stream: EventStream, server: str, client: redis.Redis
) -> None:
    publish(stream, 1, 2)
    dead = Reader(server, group="alarms", consumer="dead")
    reading = iter(dead.subscriber)
    next(reading)
    dead.subscriber._client.close()
    first, second = (entry_id for entry_id, _ in client.xrange(STREAM))
    client.xdel(STREAM, first)
    with Reader(server, group="alarms", claim_after_s=0.2) as reader:
        assert reader.rest() == [2]
        assert reader.reports == [Trimmed(first.decode())]
        assert reader.rest() == []
    del reading, second


def test_a_server_that_lost_its_data_is_begun_anew(
    stream: EventStream, server: str, client: redis.Redis
) -> None:
    publish(stream, 1, 2)
    seen: list[tuple[str, int]] = []
    with Reader(server, group="alarms") as reader:
        for event in reader.subscriber:
            seen.append((event.run_id, event.seq))
            if len(seen) == 2:
                client.flushall()
                publish(stream, 1, 2, 3, run_id="next")
            if len(seen) == 5:
                reader.subscriber.stop()
        assert reader.reports == [GroupLost("alarms")]
    assert seen == [("run", 1), ("run", 2), ("next", 1), ("next", 2), ("next", 3)]


def test_a_line_that_breaks_again_and_again_loses_nothing(
    stream: EventStream, server: str, client: redis.Redis
) -> None:
    seqs: Counter[int] = Counter()
    with proxy_to(server) as proxy, Reader(proxy.url, group="alarms", max_tries=50) as reader:
        publish(stream, *range(1, 301))
        for event in reader.subscriber:
            seqs[event.seq] += 1
            if event.seq % 7 == 0:
                proxy.drop_next_reply.set()
            if event.seq % 40 == 0:
                proxy.cut()
            if event.seq == 300:
                reader.subscriber.stop()
        assert proxy.dropped > 5
    assert sorted(seqs) == list(range(1, 301))
    assert reader.reports == []
    assert not client.exists(f"{{{STREAM}}}:dead:alarms")


def test_a_stop_ends_the_wait_for_a_server_that_is_away() -> None:
    with Reader("redis://127.0.0.1:1/0", group="alarms") as reader:
        timer = threading.Timer(0.2, reader.subscriber.stop)
        timer.start()
        assert list(reader.subscriber) == []
        timer.join()


def test_handling_ends_after_a_count(stream: EventStream, server: str) -> None:
    publish(stream, 1, 2, 3)
    seen: list[int] = []
    with Reader(server, group="alarms") as reader:
        assert reader.subscriber.handle(lambda event: seen.append(event.seq), count=2) == 2
    assert seen == [1, 2]


def test_a_user_with_the_rights_that_the_docs_name_may_write_and_read(
    server: str, client: redis.Redis, tmp_path: Path
) -> None:
    page = (REPOSITORY / "docs" / "subscribe.md").read_text()
    rights = re.search(r"and `(\+@stream[^`]*)`", page)
    assert rights is not None
    words = rights[1].split()
    client.acl_setuser(
        "limited",
        enabled=True,
        passwords=["+pw"],
        keys=[f"*{STREAM}*"],
        categories=[word for word in words if "@" in word],
        commands=[word for word in words if "@" not in word],
    )
    url = server.replace("redis://", "redis://limited:pw@")
    with (
        EventStream(url, stream=STREAM, trimming=Trimming(9)) as stream,
        Outbox(tmp_path / "a.outbox") as outbox,
    ):
        publisher = Publisher([outbox], stream, CameraHeartbeat("run"))
        publisher.start()
        outbox.append([make_event(1), make_event(2)])
        assert publisher.drain(20.0) == 0
        publisher.stop()
        stream.set_camera("gate", {"state": "up"}, ttl_s=1.0)
    with Reader(url, group="alarms") as reader:
        assert reader.take(2) == [1, 2]
    with Reader(url, group="alarms") as reader:
        assert reader.rest() == []
    with Reader(url, to_end_only=True) as reader:
        assert [event.seq for event in reader.subscriber] == [1, 2]


# --- asyncio


async def taken(subscriber: AsyncSubscriber, count: int) -> list[int]:
    seqs: list[int] = []
    async with subscriber:
        async for event in subscriber:
            seqs.append(event.seq)
            if len(seqs) == count:
                break
    return seqs


@pytest.mark.parametrize("group", [None, "alarms"])
def test_the_twin_for_asyncio_gives_the_same(
    group: str | None, stream: EventStream, server: str
) -> None:
    publish(stream, *range(1, 101))
    subscriber = AsyncSubscriber(server, stream=STREAM, group=group, start="0", block_s=0.05)
    assert asyncio.run(asyncio.wait_for(taken(subscriber, 100), 60)) == list(range(1, 101))


def test_the_twin_for_asyncio_tries_again_what_failed(stream: EventStream, server: str) -> None:
    publish(stream, 1, 2)
    tries: Counter[int] = Counter()

    async def scenario() -> None:
        done = asyncio.Event()

        async def once_in_vain(event: Event) -> None:
            tries[event.seq] += 1
            if tries[1] < 2:
                raise ValueError("not yet")
            if tries == {1: 2, 2: 1} or tries == {1: 2, 2: 2}:
                done.set()

        async with AsyncSubscriber(
            server, stream=STREAM, group="alarms", start="0", block_s=0.05, retry_after_s=0.01
        ) as subscriber:
            handling = asyncio.create_task(subscriber.handle(once_in_vain))
            await asyncio.wait_for(done.wait(), 30)
            handling.cancel()
            with pytest.raises(asyncio.CancelledError):
                await handling

    asyncio.run(scenario())
    assert tries[1] == 2


@pytest.fixture(scope="module")
def modules_of_a_subscriber() -> Iterator[set[str]]:
    code = "import sys; import pipeline.subscriber; print('\\n'.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    yield {name.split(".")[0] for name in done.stdout.split()}


@pytest.mark.parametrize("package", ["torch", "cv2", "numpy", "yaml", "ultralytics", "typer"])
def test_a_subscriber_needs_redis_and_pydantic_alone(
    package: str, modules_of_a_subscriber: set[str]
) -> None:
    assert package not in modules_of_a_subscriber
