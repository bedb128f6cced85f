"""The rules of a consumer: what it asks for after which answer, and what it delivers again."""

from __future__ import annotations

import threading
from collections import Counter

import pytest
import redis

from pipeline.delivery.stream_writer import EventStream
from pipeline.event_filter import EventFilter
from pipeline.events import Event, SequenceGap, encode_event
from pipeline.redis_store.names import StreamKeys
from pipeline.subscriber.group_reader import GroupReader, GroupSettings
from pipeline.subscriber.protocol import (
    Command,
    Delivery,
    NoGroupError,
    ReplyLostError,
    Step,
    Steps,
)
from pipeline.subscriber.reports import BadEntry, DeadLetter, GroupLost, Trimmed
from testbed.clock import Clock
from tests.pipeline.conftest import STREAM
from tests.pipeline.decided_items import make_event
from tests.pipeline.subscriber.readers import Reader, publish, until

SETTINGS = GroupSettings(
    group="alarms",
    consumer="one",
    start="0",
    max_tries=3,
    claim_after_s=60.0,
    retry_after_s=5.0,
    block_s=0.5,
)


@pytest.fixture
def clock() -> Clock:
    return Clock(0.0)


@pytest.fixture
def steps(clock: Clock) -> Steps:
    return GroupReader(StreamKeys("s"), SETTINGS, EventFilter(), clock, clock).steps()


def name(step: Step) -> str:
    assert isinstance(step, Command), step
    return step.name


def begun(steps: Steps) -> Step:
    """Past joining, its own leftovers and those of others: it asks for new entries."""
    assert name(next(steps)) == "eval"
    assert name(steps.send(1)) == "hgetall"
    assert name(steps.send({})) == "xpending_range"
    assert name(steps.send([])) == "xpending_range"
    reading = steps.send([])
    assert name(reading) == "eval"
    return reading


def entry(seq: int) -> list[object]:
    return [f"{seq}-0".encode(), encode_event(make_event(seq)).encode(), seq - 1]


def test_what_reads_is_never_sent_twice_and_what_answers_is(steps: Steps) -> None:
    reading = begun(steps)
    assert isinstance(reading, Command)
    assert not reading.idempotent
    delivery = steps.send([b"1-0", [entry(1)]])
    assert isinstance(delivery, Delivery)
    ack = steps.send(True)
    assert isinstance(ack, Command)
    assert (ack.name, ack.idempotent) == ("xack", True)


def test_a_reply_that_never_came_is_asked_for_again_as_ones_own(steps: Steps) -> None:
    begun(steps)
    assert name(steps.throw(ReplyLostError())) == "hgetall"
    assert name(steps.send({})) == "xreadgroup"
    delivery = steps.send([[b"s", [(b"1-0", {b"event": encode_event(make_event(1)).encode()})]]])
    assert isinstance(delivery, Delivery)
    assert delivery.event.seq == 1


def test_malformed_and_trimmed_entries_of_a_reply_that_never_came_are_reported(
    steps: Steps,
) -> None:
    begun(steps)
    assert name(steps.throw(ReplyLostError())) == "hgetall"
    assert name(steps.send({})) == "xreadgroup"
    lost = [[b"s", [(b"1-0", {b"event": b"{"}), (b"2-0", None)]]]
    bad = steps.send(lost)
    assert isinstance(bad, BadEntry)
    assert bad.entry_id == "1-0"
    assert name(next(steps)) == "xack"
    assert steps.send(1) == Trimmed("2-0")
    assert name(next(steps)) == "xack"


def test_a_gap_in_a_reply_that_never_came_is_reported_once(steps: Steps) -> None:
    begun(steps)
    assert name(steps.throw(ReplyLostError())) == "hgetall"
    assert steps.send({b"run/gate 5": b"9"}) == SequenceGap("run/gate", 5, 9)
    forgotten = next(steps)
    assert isinstance(forgotten, Command)
    assert (forgotten.name, forgotten.arguments[1]) == ("hdel", b"run/gate 5")
    assert name(steps.send(1)) == "xreadgroup"


def test_a_group_that_is_gone_while_a_reply_was_lost_is_made_again(steps: Steps) -> None:
    begun(steps)
    assert name(steps.throw(ReplyLostError())) == "hgetall"
    assert name(steps.send({})) == "xreadgroup"
    assert steps.throw(NoGroupError()) == GroupLost("alarms")
    joining = next(steps)
    assert name(joining) == "eval"
    assert isinstance(joining, Command)
    assert joining.arguments[-2:] == ("alarms", "0")
    assert name(steps.send(1)) == "hgetall"
    assert name(steps.send({})) == "xreadgroup"
    assert name(steps.send([])) == "eval"


def test_a_group_that_is_gone_at_the_start_is_made_again(steps: Steps) -> None:
    assert name(next(steps)) == "eval"
    assert name(steps.send(1)) == "hgetall"
    assert steps.throw(NoGroupError()) == GroupLost("alarms")


def test_what_failed_waits_its_time(steps: Steps, clock: Clock) -> None:
    begun(steps)
    assert isinstance(steps.send([b"1-0", [entry(1)]]), Delivery)
    assert name(steps.send(False)) == "eval"  # it reads on meanwhile
    assert name(steps.send([b"1-0", []])) == "xread"
    clock.now = 6.0
    pending = steps.send([])
    assert name(pending) == "xpending_range"
    assert isinstance(pending, Command)
    assert pending.arguments[2:4] == ("1-0", "1-0")


def test_what_waited_here_for_long_is_kept_or_left_to_who_took_it(
    steps: Steps, clock: Clock
) -> None:
    begun(steps)
    assert isinstance(steps.send([b"2-0", [entry(1), entry(2), entry(3)]]), Delivery)
    clock.now = 31.0  # the first one took half of the time after which others take the rest
    assert name(steps.send(True)) == "xack"
    assert name(steps.send(1)) == "xpending_range"
    assert name(steps.send([{"message_id": b"2-0"}])) == "xclaim"
    delivery = steps.send([b"2-0"])
    assert isinstance(delivery, Delivery)
    assert delivery.event.seq == 2
    assert name(steps.send(True)) == "xack"
    assert name(steps.send(1)) == "xpending_range"
    assert name(steps.send([])) in ("eval", "xpending_range")  # event 3 is another's now


# --- on a real server


def test_an_event_whose_block_raised_comes_again(stream: EventStream, server: str) -> None:
    publish(stream, 1, 2, 3)
    with Reader(server, group="alarms") as reader:
        with pytest.raises(ZeroDivisionError):
            for event in reader.subscriber:
                if event.seq == 2:
                    raise ZeroDivisionError
        assert reader.rest() == [2, 3]
        assert reader.rest() == []


def test_what_a_dead_consumer_left_is_claimed_by_another(stream: EventStream, server: str) -> None:
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


def test_after_its_last_try_an_event_is_dead_lettered(
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


def test_what_was_delivered_and_then_trimmed_is_reported(
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
