"""What a subscriber sees: everything once, in order, from where it asked."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import pytest
import redis

from pipeline.events import ActionEvent, EventError, decode_event
from pipeline.media_time import format_media_time
from pipeline.redis_store import RedisEventStore
from pipeline.subscribe import follow, format_event, print_events
from tests.pipeline.conftest import STREAM
from tests.pipeline.decided_items import make_event


class Subscriber:
    """`print_events` with its two outputs in memory."""

    def __init__(self, store: RedisEventStore, **options: object) -> None:
        out, err = io.StringIO(), io.StringIO()
        arguments: dict[str, object] = {"start": "0", "stop": threading.Event(), "as_json": True}
        self.printed = print_events(store, out=out, err=err, **(arguments | options))  # type: ignore[arg-type]
        self.out, self.err = out.getvalue(), err.getvalue()
        self.events = [decode_event(line) for line in self.out.splitlines()]


def publish(store: RedisEventStore, *seqs: int) -> list[ActionEvent]:
    events = [make_event(seq) for seq in seqs]
    store.publish(events)
    return events


def test_without_following_it_ends_at_what_is_there(store: RedisEventStore) -> None:
    events = publish(store, *range(1, 251))

    assert Subscriber(store, to_end_only=True).events == events


def test_without_following_an_empty_stream_ends_at_once(store: RedisEventStore) -> None:
    assert Subscriber(store, to_end_only=True).printed == 0


def test_without_following_it_does_not_chase_a_writer(store: RedisEventStore) -> None:
    publish(store, 1, 2)
    reading = follow(store, "0", threading.Event(), to_end_only=True)
    first = next(reading)
    publish(store, 3)

    assert [event for _, event in [first, *reading]] == [make_event(1), make_event(2)]


def test_count_ends_it_while_more_is_there(store: RedisEventStore) -> None:
    events = publish(store, 1, 2, 3)

    assert Subscriber(store, count=2).events == events[:2]
    assert Subscriber(store, count=0).events == []


def test_an_entry_id_goes_on_after_that_entry(store: RedisEventStore) -> None:
    ids = store.publish([make_event(1), make_event(2), make_event(3)])

    assert Subscriber(store, start=ids[0], count=2).events == [make_event(2), make_event(3)]


def test_from_now_on_misses_nothing_between_two_reads(store: RedisEventStore, server: str) -> None:
    stop = threading.Event()
    publish(store, 1)

    class BusyBetweenReads(RedisEventStore):
        reads = 0

        def read_after(
            self, entry_id: str, *, limit: int = 100, block_s: float = 0.0
        ) -> list[tuple[str, ActionEvent | EventError]]:
            entries = super().read_after(entry_id, limit=limit, block_s=0.01)
            self.reads += 1
            if self.reads <= 3:
                publish(store, 1 + self.reads)
            else:
                stop.set()
            return entries

    with BusyBetweenReads(server, stream=STREAM, maxlen=1000) as reader:
        seen = [event for _, event in follow(reader, "$", stop)]

    assert seen == [make_event(2), make_event(3), make_event(4)]


def test_a_stop_ends_the_wait_for_more(store: RedisEventStore) -> None:
    publish(store, 1)
    stop = threading.Event()
    reading = follow(store, "0", stop)
    next(reading)
    timer = threading.Timer(0.1, stop.set)
    timer.start()

    assert list(reading) == []
    timer.join()


def test_a_foreign_entry_is_named_and_skipped(store: RedisEventStore, client: redis.Redis) -> None:
    publish(store, 1)
    client.xadd(STREAM, {"hello": "world"})
    foreign = store.last_id()
    publish(store, 2)

    subscriber = Subscriber(store, count=2)

    assert subscriber.events == [make_event(1), make_event(2)]
    assert subscriber.err.splitlines() == [
        f"entry {foreign} skipped: an entry without the field 'event'"
    ]


def test_lines_for_people_say_who_does_what_and_when() -> None:
    start = format_event(make_event(1, "start", start_pts_s=72.25))
    end = format_event(make_event(2, "end", end_reason="track_ended"))

    assert start == "gate   1:12.2  person 7   starts  walking          75%"
    assert end.startswith("gate   0:03.5  person 7   ended   walking ")
    assert end.endswith(" 75%  after 2.5 s, at most 80%, track ended")


def test_an_escape_sequence_in_an_event_does_not_reach_the_terminal() -> None:
    assert "\x1b" not in format_event(make_event(1, action="walking\x1b[2J"))


def test_every_line_reaches_a_pipe_at_once(store: RedisEventStore, tmp_path: Path) -> None:
    publish(store, 1)
    path = tmp_path / "pipe"
    with path.open("w") as out:
        print_events(
            store, start="0", stop=threading.Event(), out=out, err=out, count=1, as_json=True
        )
        assert decode_event(path.read_text()) == make_event(1)  # before the file is closed


@pytest.mark.parametrize(
    ("pts_s", "text"),
    [
        (0.0, "0:00.0"),
        (59.96, "1:00.0"),  # rounds over the minute
        (754.31, "12:34.3"),
        (3600.0, "1:00:00.0"),
        (-0.04, "0:00.0"),
        (-1.5, "-0:01.5"),  # a camera's clock may begin below zero
    ],
)
def test_media_time_reads_as_a_clock(pts_s: float, text: str) -> None:
    assert format_media_time(pts_s) == text
