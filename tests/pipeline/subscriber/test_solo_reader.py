"""A reader without a group: everything once, in order, with what is missing."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest
import redis

from pipeline.delivery.stream_writer import EventStream
from pipeline.event_filter import EventFilter
from pipeline.events import Event, SequenceGap, encode_event
from pipeline.subscriber import AsyncSubscriber, GapError
from pipeline.subscriber.reports import (
    BadEntry,
    Duplicate,
    Report,
    StreamReset,
)
from tests.pipeline.conftest import STREAM
from tests.pipeline.decided_items import make_camera_event, make_event, stored
from tests.pipeline.subscriber.readers import Reader, force, publish, until


def test_alone_it_reads_everything_in_order(stream: EventStream, server: str) -> None:
    publish(stream, *range(1, 251))
    with Reader(server, to_end_only=True) as reader:
        assert [event.seq for event in reader.subscriber] == list(range(1, 251))
        assert reader.reports == []


def test_alone_an_empty_stream_ends_immediately(stream: EventStream, server: str) -> None:
    with Reader(server, to_end_only=True) as reader:
        assert list(reader.subscriber) == []


def test_alone_it_does_not_chase_a_writer(stream: EventStream, server: str) -> None:
    publish(stream, 1, 2)
    with Reader(server, to_end_only=True) as reader:
        reading = iter(reader.subscriber)
        first = next(reading)
        publish(stream, 3)
        assert [first.seq, *(event.seq for event in reading)] == [1, 2]


def test_alone_it_resumes_where_it_stopped(stream: EventStream, server: str) -> None:
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


def test_gaps_duplicates_and_foreign_entries_are_reported_and_the_rest_is_delivered(
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
    assert "this program reads event schema 4, this event has 99" in bad[1].problem
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
    stream.append([stored(make_camera_event(5, "camera_down"))])
    with Reader(server, to_end_only=True, wanted=EventFilter(actions=("fight",))) as reader:
        assert [event.seq for event in reader.subscriber] == [2, 4]
        assert reader.reports == []


FUTURE = "9999999999999"  # milliseconds: ids of a server whose clock was ahead


def add(client: redis.Redis, entry_id: str, event: Event) -> None:
    client.xadd(STREAM, {"event": encode_event(event)}, id=entry_id)


def test_a_stream_that_is_emptied_while_it_is_read(client: redis.Redis, server: str) -> None:
    """What was read before the reset is not delivered again when the publisher sends it again."""
    for seq in (1, 2):
        add(client, f"{FUTURE}-{seq}", make_event(seq))
    seqs: list[int] = []
    with Reader(server) as reader:
        for event in reader.subscriber:
            seqs.append(event.seq)
            if event.seq == 2:
                client.flushall()
                force(client, make_event(2), make_event(3), make_event(1, run_id="next"))
            if event.run_id == "next":
                reader.subscriber.stop()
        assert [type(report) for report in reader.reports] == [StreamReset]
    assert seqs == [1, 2, 3, 1]


def test_a_deleted_stream_is_waited_for(client: redis.Redis, server: str) -> None:
    add(client, f"{FUTURE}-1", make_event(1))
    with Reader(server) as reader:
        reading = iter(reader.subscriber)
        assert next(reading).seq == 1
        client.delete(STREAM)
        writing = threading.Thread(
            target=lambda: (until(lambda: reader.reports), force(client, make_event(2)))
        )
        writing.start()
        assert next(reading).seq == 2
        writing.join()
        assert [type(report) for report in reader.reports] == [StreamReset]


def test_a_server_that_lost_its_newest_entries_is_not_read_again_from_its_beginning(
    client: redis.Redis, server: str
) -> None:
    ids = [one.decode() for one in force(client, *(make_event(seq) for seq in (1, 2, 3, 4)))]
    with Reader(server) as reader:
        reading = iter(reader.subscriber)
        assert [next(reading).seq for _ in range(4)] == [1, 2, 3, 4]
        with client.pipeline() as at_once:  # as a replica that had not received them
            at_once.delete(STREAM)
            for seq, entry_id in enumerate(ids[:2], 1):
                at_once.xadd(STREAM, {"event": encode_event(make_event(seq))}, id=entry_id)
            at_once.execute()
        writing = threading.Thread(
            target=lambda: (until(lambda: reader.reports), force(client, make_event(5)))
        )
        writing.start()
        assert next(reading).seq == 5
        writing.join()
        assert reader.reports == [StreamReset(ids[3], ids[1], ids[1])]


def test_a_replaced_stream_whose_ids_were_read_is_not_the_stream_that_was_read(
    client: redis.Redis, server: str
) -> None:
    """The ids of a server whose clock was ahead continue from one frozen millisecond."""
    for seq in (1, 2, 3):
        add(client, f"{FUTURE}-{seq}", make_event(seq))
    with Reader(server) as reader:
        reading = iter(reader.subscriber)
        assert [next(reading).seq for _ in range(3)] == [1, 2, 3]
        with client.pipeline() as at_once:
            at_once.delete(STREAM)
            for seq in (1, 2):
                event = encode_event(make_event(seq, run_id="next"))
                at_once.xadd(STREAM, {"event": event}, id=f"{FUTURE}-{seq}")
            at_once.execute()
        assert [(one.run_id, one.seq) for one in (next(reading), next(reading))] == [
            ("next", 1),
            ("next", 2),
        ]
        assert reader.reports == [StreamReset(f"{FUTURE}-3", f"{FUTURE}-2", "0-0")]


def test_a_start_after_the_end_of_the_stream_is_the_position_of_an_earlier_one(
    client: redis.Redis, server: str
) -> None:
    force(client, make_event(1), make_event(2))
    with Reader(server, start=f"{FUTURE}-0", to_end_only=True) as reader:
        assert [event.seq for event in reader.subscriber] == [1, 2]
        assert [type(report) for report in reader.reports] == [StreamReset]


def test_asyncio_notices_a_stream_that_was_emptied(client: redis.Redis, server: str) -> None:
    add(client, f"{FUTURE}-1", make_event(1))
    reports: list[Report] = []
    options: dict[str, Any] = {"stream": STREAM, "start": "0", "block_s": 0.05}

    async def seqs() -> list[int]:
        found: list[int] = []
        async with AsyncSubscriber(server, on_report=reports.append, **options) as subscriber:
            async for event in subscriber:
                found.append(event.seq)
                if event.seq == 1:
                    client.flushall()
                    force(client, make_event(2))
                else:
                    subscriber.stop()
        return found

    assert asyncio.run(asyncio.wait_for(seqs(), 60)) == [1, 2]
    assert [type(report) for report in reports] == [StreamReset]
