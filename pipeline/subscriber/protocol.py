"""What a reader of a stream asks of Redis and says to its driver, without doing any of it.

Readers are generators: they yield commands, deliveries and reports, and are sent what came of them.
`Subscriber` drives them and blocks, `AsyncSubscriber` does so for asyncio. So the rules stand in
one place, and once.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

from pipeline.events import Event, EventError, SequenceGap, decode_event
from pipeline.redis_store.names import FIELD
from pipeline.subscriber.reports import BadEntry, Duplicate, Report

BEGINNING, NEWEST = "0", "$"


class ReplyLostError(Exception):
    """The connection broke; whether the command was carried out is not known."""


class NoGroupError(Exception):
    """The server does not know the group (any more)."""


@dataclass(frozen=True, slots=True)
class Command:
    """A method of redis-py's client, to be answered with what it returns.

    With `again`, it makes no difference if it is done twice: a driver tries until it has a reply.
    """

    name: str
    arguments: tuple[Any, ...]
    options: dict[str, Any] = field(default_factory=dict)
    again: bool = True


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event for the user; to be answered with whether it was dealt with.

    None: it was not really tried, because a stop came in between.
    """

    entry_id: str
    event: Event


Step = Command | Delivery | Report
Steps = Generator[Step, Any, None]
Asking = Generator[Step, Any, Any]


def read_entry(entry_id: str, text: bytes | None) -> Event | BadEntry:
    """The event of an entry, or what is wrong with it."""
    if text is None:
        return BadEntry(entry_id, f"it has no field {FIELD!r}")
    try:
        return decode_event(text)
    except EventError as error:
        return BadEntry(entry_id, str(error))


def out_of_order(event: Event, before: int, entry_id: str) -> SequenceGap | Duplicate | None:
    """What the numbers prove. `before` is the newest one seen of this camera and run, or -1."""
    if before < 0 or event.seq == before + 1:
        return None
    if event.seq <= before:
        return Duplicate(event.origin, event.seq, entry_id)
    return SequenceGap(event.origin, before + 1, event.seq - 1)


def is_entry_id(text: str) -> bool:
    """Whether a text is the id of an entry: milliseconds, or milliseconds-sequence."""
    parts = text.split("-")
    return len(parts) <= 2 and all(part.isdecimal() for part in parts)
