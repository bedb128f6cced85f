"""The in-memory stand-in is held to what a subscriber of a real server does: the same tests."""

from __future__ import annotations

import asyncio
import re
import textwrap
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Protocol

import pytest
import redis

from pipeline.errors import EventStoreError
from pipeline.event_filter import EventFilter
from pipeline.events import ActionEvent, CameraEvent, Event, SequenceGap, encode_event
from pipeline.redis_store.names import StreamKeys
from pipeline.subscriber import AsyncSubscriber, GapError, Subscriber, testing
from pipeline.subscriber.group_reader import GroupReader
from pipeline.subscriber.reports import BadEntry, DeadLetter, Duplicate, Report, Trimmed
from pipeline.subscriber.testing import (
    InMemoryAsyncSubscriber,
    InMemoryEventStore,
    InMemorySubscriber,
    example_action_event,
    example_camera_event,
)
from tests.pipeline.conftest import STREAM
from tests.pipeline.poison import POISON

event = example_action_event


class Backend(Protocol):
    """Where the events of a test are, and the subscribers that read them."""

    def subscriber(self, **options: Any) -> Subscriber: ...
    def async_subscriber(self, **options: Any) -> AsyncSubscriber: ...
    def publish(self, *events: Event) -> None: ...
    def publish_text(self, text: str | bytes) -> None: ...
    def trim(self, keep: int) -> None: ...
    def unacknowledged(self, group: str) -> int: ...
    def dead_letters(self, group: str) -> list[str]: ...


class RealBackend:
    """A redis-server."""

    def __init__(self, url: str, client: redis.Redis) -> None:
        self.url, self.client, self.keys = url, client, StreamKeys(STREAM)

    def subscriber(self, **options: Any) -> Subscriber:
        return Subscriber(self.url, stream=STREAM, **options)

    def async_subscriber(self, **options: Any) -> AsyncSubscriber:
        return AsyncSubscriber(self.url, stream=STREAM, **options)

    def publish(self, *events: Event) -> None:
        for one in events:
            self.publish_text(encode_event(one))
            self.client.hset(self.keys.newest, one.origin, one.seq)

    def publish_text(self, text: str | bytes) -> None:
        self.client.xadd(STREAM, {"event": text})

    def trim(self, keep: int) -> None:
        self.client.xtrim(STREAM, maxlen=keep, approximate=False)

    def unacknowledged(self, group: str) -> int:
        return int(self.client.xpending(STREAM, group)["pending"])

    def dead_letters(self, group: str) -> list[str]:
        entries: Any = self.client.xrange(self.keys.dead_letters(group))
        return [fields[b"event"].decode() for _, fields in entries]


class InMemoryBackend:
    """The stand-in."""

    def __init__(self) -> None:
        self.store = InMemoryEventStore()

    def subscriber(self, **options: Any) -> Subscriber:
        return InMemorySubscriber(self.store.url, stream=STREAM, **options)

    def async_subscriber(self, **options: Any) -> AsyncSubscriber:
        return InMemoryAsyncSubscriber(self.store.url, stream=STREAM, **options)

    def publish(self, *events: Event) -> None:
        self.store.publish(*events, stream=STREAM)

    def publish_text(self, text: str | bytes) -> None:
        self.store.publish_text(text, stream=STREAM)

    def trim(self, keep: int) -> None:
        self.store.trim(keep, stream=STREAM)

    def unacknowledged(self, group: str) -> int:
        return self.store.unacknowledged(group, stream=STREAM)

    def dead_letters(self, group: str) -> list[str]:
        return [encode_event(one) for one in self.store.dead_letters(group, stream=STREAM)]


@pytest.fixture(params=["redis", "memory"])
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    if request.param == "memory":
        yield InMemoryBackend()
    else:
        server = request.getfixturevalue("server")
        yield RealBackend(server, request.getfixturevalue("client"))


FAST: dict[str, Any] = {"start": "0", "block_s": 0.02}


def take(subscriber: Subscriber, count: int) -> list[int]:
    seqs: list[int] = []
    subscriber.handle(lambda one: seqs.append(one.seq), count=count)
    return seqs


def test_alone_it_reads_to_the_end_and_resumes_after_an_entry(backend: Backend) -> None:
    backend.publish(*(event(seq) for seq in range(1, 121)))
    with backend.subscriber(to_end_only=True, **FAST) as subscriber:
        assert [one.seq for one in subscriber] == list(range(1, 121))
        newest = subscriber.last_entry_id
    assert newest is not None
    backend.publish(event(121))
    with backend.subscriber(to_end_only=True, **(FAST | {"start": newest})) as subscriber:
        assert [one.seq for one in subscriber] == [121]


def test_from_now_on_an_iteration_waits_for_the_next_event(backend: Backend) -> None:
    backend.publish(event(1))
    reports: list[Report] = []
    with backend.subscriber(group="alarms", on_report=reports.append, block_s=0.02) as subscriber:
        timer = threading.Timer(0.3, lambda: backend.publish(event(2)))
        timer.start()
        assert take(subscriber, 1) == [2]
        timer.join()
    assert reports == []


def test_a_filter_hides_events_but_not_their_numbers(backend: Backend) -> None:
    backend.publish(event(1), event(2, action="fight"), event(3), event(4, action="fight"))
    reports: list[Report] = []
    options = {"wanted": EventFilter(actions=("fight",)), "on_report": reports.append}
    with backend.subscriber(group="alarms", **options, **FAST) as subscriber:
        assert take(subscriber, 2) == [2, 4]
    assert (reports, backend.unacknowledged("alarms")) == ([], 0)


@pytest.mark.parametrize("group", [None, "alarms"])
def test_gaps_duplicates_and_foreign_entries_are_reported(
    backend: Backend, group: str | None
) -> None:
    backend.publish(event(1))
    backend.publish_text("no event")
    backend.publish(event(4), event(4), event(5))
    reports: list[Report] = []
    with backend.subscriber(group=group, on_report=reports.append, **FAST) as subscriber:
        assert take(subscriber, 3) == [1, 4, 5]
    assert [type(report) for report in reports] == [BadEntry, SequenceGap, Duplicate]
    assert reports[1] == SequenceGap("run/gate", 2, 3)


@pytest.mark.parametrize("group", [None, "alarms"])
def test_what_is_no_event_is_skipped_and_changes_no_numbers(
    backend: Backend, group: str | None
) -> None:
    """In pieces as a reader fetches them, and one at a time, as if each came alone."""
    reports: list[Report] = []
    options = {"group": group, "on_report": reports.append, **FAST}
    texts = list(POISON.values())
    with backend.subscriber(**options) as subscriber:
        backend.publish(event(1))
        for text in texts:
            backend.publish_text(text)
        backend.publish(event(2))
        taken = take(subscriber, 2)
    assert taken == [1, 2]
    assert [type(report) for report in reports] == [BadEntry] * len(texts)
    if group is not None:
        assert backend.unacknowledged(group) == 0


def test_asyncio_skips_what_is_no_event(backend: Backend) -> None:
    reports: list[Report] = []

    async def seqs(group: str | None) -> list[int]:
        found: list[int] = []
        options = {"group": group, "on_report": reports.append, **FAST}
        async with backend.async_subscriber(**options) as subscriber:
            async for one in subscriber:
                found.append(one.seq)
                if len(found) == 2:
                    subscriber.stop()
        return found

    backend.publish(event(1))
    for text in POISON.values():
        backend.publish_text(text)
    backend.publish(event(2))
    for group in (None, "alarms"):
        assert asyncio.run(asyncio.wait_for(seqs(group), 60)) == [1, 2]
    assert [type(report) for report in reports] == [BadEntry] * 2 * len(POISON)


def test_a_consumer_that_comes_back_skips_what_killed_it(backend: Backend) -> None:
    """An older version died of such an entry: it is pending, with valid events behind it."""
    backend.publish(event(1))
    for text in POISON.values():
        backend.publish_text(text)
    backend.publish(event(2))
    reports: list[Report] = []
    options = {"group": "alarms", "consumer": "one", "on_report": reports.append, **FAST}
    killed = backend.subscriber(**options)
    assert isinstance(killed._reader, GroupReader)
    killed._reader._settings = replace(killed._reader._settings, count=2 + len(POISON))
    reading = iter(killed)
    next(reading)  # it has all of them, and dies
    with backend.subscriber(**options) as subscriber:
        assert take(subscriber, 2) == [1, 2]
    assert [type(report) for report in reports] == [BadEntry] * len(POISON)
    assert backend.unacknowledged("alarms") == 0
    del reading


def test_a_gap_is_an_error_where_that_was_asked_for(backend: Backend) -> None:
    backend.publish(event(1), event(3))
    options = {"raise_on_gap": True, "to_end_only": True}
    with (
        backend.subscriber(**options, **FAST) as subscriber,
        pytest.raises(GapError, match="events 2 to 2 are missing"),
    ):
        list(subscriber)


def test_the_next_consumer_of_a_group_resumes_where_the_last_one_stopped(backend: Backend) -> None:
    backend.publish(*(event(seq) for seq in range(1, 51)))
    with backend.subscriber(group="alarms", consumer="first", **FAST) as subscriber:
        assert take(subscriber, 30) == list(range(1, 31))
    with backend.subscriber(group="alarms", consumer="second", **FAST) as subscriber:
        assert take(subscriber, 20) == list(range(31, 51))
    assert backend.unacknowledged("alarms") == 0


def test_an_event_whose_block_raised_is_delivered_again(backend: Backend) -> None:
    backend.publish(event(1), event(2))
    with backend.subscriber(group="alarms", **FAST) as subscriber:
        with pytest.raises(ZeroDivisionError):
            for one in subscriber:
                if one.seq == 2:
                    raise ZeroDivisionError
        assert backend.unacknowledged("alarms") == 1
        assert take(subscriber, 1) == [2]
    assert backend.unacknowledged("alarms") == 0


def test_after_its_last_try_an_event_is_a_dead_letter(backend: Backend) -> None:
    backend.publish(event(1), event(2))
    tries: Counter[int] = Counter()
    reports: list[Report] = []
    options = {"group": "alarms", "max_tries": 3, "retry_after_s": 0.01, **FAST}

    def report(one: Report) -> None:
        reports.append(one)
        subscriber.stop()

    def fail_on_one(one: Event) -> None:
        tries[one.seq] += 1
        if one.seq == 1:
            raise ValueError("the bell is broken")

    with backend.subscriber(on_report=report, **options) as subscriber:
        assert subscriber.handle(fail_on_one) == 1
    assert tries == {1: 3, 2: 1}
    assert [type(one) for one in reports] == [DeadLetter]
    assert backend.dead_letters("alarms") == [encode_event(event(1))]


def test_what_another_consumer_left_is_claimed_after_a_while(backend: Backend) -> None:
    backend.publish(event(1), event(2))
    dead = backend.subscriber(group="alarms", consumer="dead", **FAST)
    reading = iter(dead)
    next(reading)  # and never an acknowledgement
    options = {"consumer": "alive", "claim_after_s": 0.2}
    with backend.subscriber(group="alarms", **options, **FAST) as subscriber:
        assert sorted(take(subscriber, 2)) == [1, 2]
    del reading


def test_leaving_returns_what_was_not_tried(backend: Backend) -> None:
    backend.publish(*(event(seq) for seq in range(1, 6)))
    with backend.subscriber(group="alarms", consumer="first", **FAST) as subscriber:
        assert take(subscriber, 2) == [1, 2]
    options = {"consumer": "second", "claim_after_s": 60.0}
    with backend.subscriber(group="alarms", **options, **FAST) as subscriber:
        assert take(subscriber, 3) == [3, 4, 5]


def test_what_was_trimmed_before_its_acknowledgement_is_reported(backend: Backend) -> None:
    backend.publish(event(1), event(2))
    reports: list[Report] = []
    options = {"group": "alarms", "consumer": "one", "on_report": reports.append, **FAST}
    reading = iter(backend.subscriber(**options))
    next(reading)
    backend.trim(1)
    with backend.subscriber(**options) as subscriber:
        assert take(subscriber, 1) == [2]
    assert [type(report) for report in reports] == [Trimmed]
    del reading


@pytest.mark.parametrize("group", [None, "alarms"])
def test_asyncio_reads_the_same(backend: Backend, group: str | None) -> None:
    backend.publish(*(event(seq) for seq in range(1, 41)))

    async def seqs() -> list[int]:
        found: list[int] = []
        async with backend.async_subscriber(group=group, **FAST) as subscriber:
            async for one in subscriber:
                found.append(one.seq)
                if len(found) == 40:
                    backend.publish(event(41))
                if len(found) == 41:
                    subscriber.stop()
        return found

    assert asyncio.run(asyncio.wait_for(seqs(), 60)) == list(range(1, 42))


def test_asyncio_tries_again_what_failed(backend: Backend) -> None:
    backend.publish(event(1))
    tries: Counter[int] = Counter()

    async def scenario() -> None:
        options = {"group": "alarms", "retry_after_s": 0.01, **FAST}
        async with backend.async_subscriber(**options) as subscriber:

            async def fail_once(one: Event) -> None:
                tries[one.seq] += 1
                if tries[one.seq] == 1:
                    raise ValueError("not yet")
                subscriber.stop()

            await asyncio.wait_for(subscriber.handle(fail_once), 60)

    asyncio.run(scenario())
    assert tries == {1: 2}


def test_a_program_that_opens_its_own_subscriber_reads_the_store_of_its_url(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = InMemoryEventStore("redis://user:secret@localhost:6379/0")
    store.publish(event(1))
    monkeypatch.setattr("pipeline.subscriber.Subscriber", InMemorySubscriber)

    from pipeline.subscriber import Subscriber as Replaced  # as the program imports it

    with Replaced(store.url, start="0", to_end_only=True) as subscriber:
        subscriber.ping()
        assert [one.seq for one in subscriber] == [1]


def test_a_url_without_a_store_is_an_error_without_the_password() -> None:
    with pytest.raises(EventStoreError, match="no InMemoryEventStore") as failure:
        InMemorySubscriber("redis://user:secret@localhost:6379/0", start="0")
    assert "secret" not in str(failure.value)


def test_examples_are_valid_events_that_follow_their_changes() -> None:
    action, camera = example_action_event(3, kind="end", camera_id="yard"), example_camera_event(2)
    assert isinstance(action, ActionEvent)
    assert isinstance(camera, CameraEvent)
    assert (action.event_id, action.origin) == ("run/yard/3", "run/yard")
    assert (camera.event_id, camera.kind) == ("run/gate/2", "camera_up")


def test_the_example_of_the_documentation_runs() -> None:
    blocks = re.findall(r"((?:^    .*\n|^\n)+)", testing.__doc__ or "", re.MULTILINE)
    example = textwrap.dedent(next(block for block in blocks if "def test_" in block))
    names: dict[str, Any] = {}
    exec(example, names)
    names["test_the_bell_rings_for_every_fight"]()
