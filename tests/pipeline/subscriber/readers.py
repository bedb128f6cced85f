"""Readers and events for the tests of subscribers on a real server."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import redis

from pipeline.delivery.stream_writer import EventStream
from pipeline.events import Event, encode_event
from pipeline.subscriber import Subscriber
from pipeline.subscriber.reports import (
    Report,
)
from tests.pipeline.conftest import STREAM
from tests.pipeline.decided_items import make_event, stored

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
        """So many events, all acknowledged."""
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

        def wait_and_stop() -> None:
            while time.monotonic() < newest_at + QUIET_S:
                time.sleep(0.02)
            self.subscriber.stop()

        self.subscriber._stop.clear()
        watching = threading.Thread(target=wait_and_stop)
        watching.start()
        for event in self.subscriber:
            seqs.append(event.seq)
            newest_at = time.monotonic()
        watching.join()
        return seqs


def publish(stream: EventStream, *seqs: int, **changes: Any) -> None:
    stream.append([stored(make_event(seq, **changes)) for seq in seqs])


def force(client: redis.Redis, *events: Event) -> list[bytes]:
    """Onto the stream as they are, whatever their numbers."""
    return [client.xadd(STREAM, {"event": encode_event(event)}) for event in events]
