"""What a group has seen is one number per camera and run, whichever consumer reads."""

from __future__ import annotations

import threading

import redis

from pipeline.delivery.stream_writer import EventStream, Trimming
from pipeline.events import SequenceGap
from pipeline.subscriber.protocol import Command
from testbed.tcp_proxy import proxy_to
from tests.pipeline.conftest import STREAM
from tests.pipeline.decided_items import make_event
from tests.pipeline.subscriber.readers import Reader, force, publish


def test_a_group_resumes_where_it_stopped(stream: EventStream, server: str) -> None:
    publish(stream, *range(1, 51))
    with Reader(server, group="alarms") as reader:
        assert reader.take(30) == list(range(1, 31))
    with Reader(server, group="alarms", consumer="another") as reader:
        assert reader.rest() == list(range(31, 51))
        assert reader.reports == []


def test_a_new_group_begins_now_unless_configured_otherwise(
    stream: EventStream, server: str
) -> None:
    publish(stream, 1, 2)
    with Reader(server, group="alarms", start="$") as reader:
        assert reader.rest() == []
        publish(stream, 3, 4)
        assert reader.rest() == [3, 4]
        assert reader.reports == []


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


def test_a_group_that_begins_at_a_trimmed_stream_reports_what_is_missing(
    client: redis.Redis, server: str
) -> None:
    force(client, make_event(41), make_event(42))
    with Reader(server, group="alarms", start="0") as reader:
        assert reader.rest() == [41, 42]
        assert reader.reports == [SequenceGap("run/gate", 1, 40)]


def test_a_gap_is_reported_though_the_reply_that_had_it_was_lost(
    client: redis.Redis, server: str
) -> None:
    force(client, make_event(1))
    with proxy_to(server) as proxy, Reader(proxy.url, group="alarms") as reader:
        assert reader.take(1) == [1]
        reading = reader.subscriber._reader.steps()  # as an iteration continues
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
