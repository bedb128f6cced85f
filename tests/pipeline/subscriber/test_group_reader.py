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
from pipeline.subscriber.group_reader import REMEMBER_S, GroupReader, GroupSettings
from pipeline.subscriber.protocol import (
    Command,
    Delivery,
    Failed,
    NoGroupError,
    ReplyLostError,
    Step,
    Steps,
)
from pipeline.subscriber.reports import BadEntry, DeadLetter, GroupLost, StreamReset, Trimmed
from testbed.clock import Clock
from tests.pipeline.conftest import STREAM
from tests.pipeline.decided_items import make_event
from tests.pipeline.subscriber.readers import Reader, force, publish, until

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
    return GroupReader(StreamKeys("s"), SETTINGS, EventFilter(), clock).steps()


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
    return [f"{seq}-0".encode(), [b"event", encode_event(make_event(seq)).encode()]]


def taken(steps: Steps, *seqs: int) -> Step:
    """It sees these entries, and takes them: what comes after that."""
    taking = steps.send([b"0-0", b"9-0", [entry(seq) for seq in seqs]])
    assert isinstance(taking, Command)
    assert (taking.name, taking.idempotent) == ("eval", False)
    return steps.send([seq - 1 for seq in seqs])


def test_what_reads_is_never_sent_twice_and_what_answers_is(steps: Steps) -> None:
    looking = begun(steps)
    assert isinstance(looking, Command)
    assert looking.idempotent
    delivery = taken(steps, 1)
    assert isinstance(delivery, Delivery)
    ack = steps.send(True)
    assert isinstance(ack, Command)
    assert (ack.name, ack.idempotent) == ("xack", True)


def test_what_another_consumer_took_meanwhile_is_left_to_it(steps: Steps) -> None:
    begun(steps)
    assert name(steps.send([b"0-0", b"9-0", [entry(1)]])) == "eval"
    looking_again = steps.send(None)
    assert isinstance(looking_again, Command)
    assert (looking_again.name, looking_again.idempotent) == ("eval", True)


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
    assert isinstance(taken(steps, 1), Delivery)
    assert name(steps.send(Failed("no answer"))) == "eval"  # it reads on meanwhile
    assert name(steps.send([b"1-0", b"1-0", []])) == "xread"
    clock.now = 6.0
    pending = steps.send([])
    assert name(pending) == "xpending_range"
    assert isinstance(pending, Command)
    assert pending.arguments[2:4] == ("1-0", "1-0")


def test_what_waited_here_for_long_is_kept_or_left_to_who_took_it(
    steps: Steps, clock: Clock
) -> None:
    begun(steps)
    assert isinstance(taken(steps, 1, 2, 3), Delivery)
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


def test_a_group_behind_the_end_of_its_stream_begins_again(
    client: redis.Redis, server: str
) -> None:
    """Its start was an id of an earlier stream, or of a server whose clock was ahead."""
    force(client, make_event(1), make_event(2))
    with Reader(server, group="alarms", start="9999999999999-0") as reader:
        assert reader.take(2) == [1, 2]
        assert [type(report) for report in reader.reports] == [StreamReset]
    with Reader(server, group="alarms") as reader:
        assert reader.rest() == []
        assert reader.reports == []


def test_a_group_whose_stream_was_emptied_begins_again(client: redis.Redis, server: str) -> None:
    client.xadd(STREAM, {"event": encode_event(make_event(1))}, id="9999999999999-1")
    with Reader(server, group="alarms") as reader:
        reading = iter(reader.subscriber)
        assert next(reading).seq == 1
        client.delete(STREAM)
        client.xgroup_create(STREAM, "alarms", "9999999999999-1", mkstream=True)  # restored
        client.xadd(STREAM, {"event": encode_event(make_event(2))})
        assert next(reading).seq == 2
        assert [type(report) for report in reader.reports] == [StreamReset]


def test_what_the_group_remembers_ages_by_the_clock_of_the_server(
    client: redis.Redis, server: str, stream: EventStream
) -> None:
    publish(stream, 1)
    ages = f"{{{STREAM}}}:seen:alarms:ages"
    with Reader(server, group="alarms") as reader:
        assert reader.take(1) == [1]
    before, _ = client.time()
    (noted,) = client.zrange(ages, 0, -1, withscores=True)
    assert noted[0] == b"run/gate"
    assert abs(noted[1] - before) < 3600
    client.zadd(
        ages, {"old/gate": before - REMEMBER_S - 1, "young/gate": before - REMEMBER_S + 600}
    )
    client.hset(f"{{{STREAM}}}:seen:alarms", mapping={"old/gate": 5, "young/gate": 5})
    publish(stream, 2)
    with Reader(server, group="alarms") as reader:
        assert reader.take(1) == [2]
    assert client.hkeys(f"{{{STREAM}}}:seen:alarms") == [b"run/gate", b"young/gate"]
