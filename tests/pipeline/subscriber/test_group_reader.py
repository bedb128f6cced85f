"""The rules of a consumer, without a server: what it asks for after which answer."""

from __future__ import annotations

import pytest

from pipeline.event_filter import EventFilter
from pipeline.events import SequenceGap, encode_event
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
from pipeline.subscriber.reports import BadEntry, GroupLost, Trimmed
from testbed.clock import Clock
from tests.pipeline.decided_items import make_event

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


def test_a_gap_in_a_reply_that_never_came_is_told_once(steps: Steps) -> None:
    begun(steps)
    assert name(steps.throw(ReplyLostError())) == "hgetall"
    assert steps.send({b"run/gate 5": b"9"}) == SequenceGap("run/gate", 5, 9)
    told = next(steps)
    assert isinstance(told, Command)
    assert (told.name, told.arguments[1]) == ("hdel", b"run/gate 5")
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
