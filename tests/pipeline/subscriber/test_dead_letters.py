"""What a group dead-lettered goes back to that group, and to no other reader."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import redis

from pipeline.errors import EventStoreError
from pipeline.events import Event, encode_event
from pipeline.subscriber import AsyncSubscriber
from pipeline.subscriber.dead_letters import DeadLetters
from pipeline.subscriber.reports import BadEntry, DeadLetter
from tests.pipeline.conftest import STREAM
from tests.pipeline.decided_items import make_event
from tests.pipeline.subscriber.readers import Reader, force

DEAD = f"{{{STREAM}}}:dead:alarms"


def give_up(server: str, seqs: set[int], count: int) -> None:
    """A consumer of `alarms` handles so many events, and dead-letters those of some numbers."""
    with Reader(server, group="alarms", max_tries=1, retry_after_s=0.0) as reader:

        def handle(event: Event) -> None:
            if event.seq in seqs:
                raise ValueError("the bell is broken")

        def note(report: object) -> None:
            given_up.append(report)
            if len(given_up) == len(seqs):
                reader.subscriber.stop()

        given_up: list[object] = []
        reader.subscriber._on_report = note
        assert reader.subscriber.handle(handle) == count - len(seqs)
        assert [type(report) for report in given_up] == [DeadLetter] * len(seqs)


def test_a_letter_is_read_again_by_its_group_alone(server: str, client: redis.Redis) -> None:
    force(client, *(make_event(seq) for seq in (1, 2, 3)))
    client.xgroup_create(STREAM, "others", "0")
    give_up(server, {2}, 3)
    with DeadLetters(server, STREAM) as letters:
        assert letters.groups() == ["alarms", "others"]
        [letter] = letters.letters("alarms")
        assert (letter.event, letter.tries) == (make_event(2), 1)
        assert letter.reason == "the bell is broken"
        assert list(letters.letters("others")) == []
        assert letters.replay(letter)
        assert not letters.replay(letter)  # once
        assert list(letters.letters("alarms")) == []
    force(client, make_event(4))
    with Reader(server, group="alarms") as reader:
        assert (reader.rest(), reader.reports) == ([2, 4], [])
    with Reader(server, group="others") as reader:
        assert (reader.rest(), reader.reports) == ([1, 2, 3, 4], [])
        assert client.xpending(STREAM, "others")["pending"] == 0
    with Reader(server, to_end_only=True) as reader:
        assert [event.seq for event in reader.subscriber] == [1, 2, 3, 4]
        assert reader.reports == []

    async def read() -> list[int]:
        options: dict[str, Any] = {"stream": STREAM, "start": "0", "to_end_only": True}
        async with AsyncSubscriber(server, **options) as subscriber:
            return [event.seq async for event in subscriber]

    assert asyncio.run(asyncio.wait_for(read(), 60)) == [1, 2, 3, 4]


def test_a_letter_whose_entry_left_the_stream_long_ago_comes_again(
    server: str, client: redis.Redis
) -> None:
    force(client, make_event(1), make_event(2))
    give_up(server, {1}, 2)
    client.xtrim(STREAM, maxlen=0)
    with DeadLetters(server, STREAM) as letters:
        assert all(letters.replay(letter) for letter in letters.letters("alarms"))
    with Reader(server, group="alarms") as reader:
        assert (reader.rest(), reader.reports) == ([1], [])


def test_a_letter_that_is_refused_again_has_all_its_tries_again(
    server: str, client: redis.Redis
) -> None:
    force(client, make_event(1))
    give_up(server, {1}, 1)
    with DeadLetters(server, STREAM) as letters:
        assert all(letters.replay(letter) for letter in list(letters.letters("alarms")))
        give_up(server, {1}, 1)
        [letter] = letters.letters("alarms")
        assert (letter.event, letter.tries) == (make_event(1), 1)


def test_a_dropped_letter_is_gone(server: str, client: redis.Redis) -> None:
    for seq in (1, 2):
        client.xadd(DEAD, {"event": encode_event(make_event(seq)), "tries": "5"})
    with DeadLetters(server, STREAM) as letters:
        first, second = letters.letters("alarms")
        assert letters.drop(first)
        assert not letters.drop(first)
        assert list(letters.letters("alarms")) == [second]


def test_letters_come_in_pages_up_to_a_limit(server: str, client: redis.Redis) -> None:
    for seq in range(1, 251):
        client.xadd(DEAD, {"event": encode_event(make_event(seq)), "tries": "5"})
    with DeadLetters(server, STREAM) as letters:
        for limit, count in ((None, 250), (7, 7), (100, 100), (201, 201), (1000, 250)):
            assert len(list(letters.letters("alarms", limit))) == count


def test_what_is_no_event_is_listed_with_the_reason(server: str, client: redis.Redis) -> None:
    client.xadd(DEAD, {"event": b"\xff", "tries": "\x1b[2J"})
    with DeadLetters(server, STREAM) as letters:
        [letter] = letters.letters("alarms")
        assert isinstance(letter.event, BadEntry)
        assert letter.tries == 0


def test_without_a_group_nothing_is_put_back(server: str, client: redis.Redis) -> None:
    client.xadd(DEAD, {"event": encode_event(make_event(1)), "tries": "5"})
    with DeadLetters(server, STREAM) as letters:
        assert letters.groups() == []
        [letter] = letters.letters("alarms")
        with pytest.raises(EventStoreError, match="no group 'alarms' reads"):
            letters.replay(letter)
        assert list(letters.letters("alarms")) == [letter]
