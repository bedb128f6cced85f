"""A reader without a group: everything once, in order, with what is missing."""

from __future__ import annotations

import json
import threading

import pytest
import redis

from pipeline.delivery.stream_writer import EventStream
from pipeline.event_filter import EventFilter
from pipeline.events import SequenceGap, encode_event
from pipeline.subscriber import GapError
from pipeline.subscriber.reports import (
    BadEntry,
    Duplicate,
)
from tests.pipeline.conftest import STREAM
from tests.pipeline.decided_items import make_camera_event, make_event, stored
from tests.pipeline.subscriber.readers import NOW, Reader, force, publish, until


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
