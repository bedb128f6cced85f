"""The protocol between a reader of a stream and its driver; nothing in it does any I/O.

Readers are generators: they yield commands, deliveries and reports, and are sent the outcome of
each. `Subscriber` drives a reader and blocks, `AsyncSubscriber` awaits; the rules of reading stand
in the readers, once.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pipeline.events import Event, EventError, SequenceGap, decode_event
from pipeline.redis_store.names import FIELD, ONLY_FIELD
from pipeline.subscriber.reports import BadEntry, Duplicate, Report

BEGINNING, NEWEST = "0", "$"
FIRST_ID = "0-0"  # before every entry


class ReplyLostError(Exception):
    """The connection broke; the server may have executed the command or not."""


class NoGroupError(Exception):
    """The server has no such group, or no longer."""


@dataclass(frozen=True, slots=True)
class Command:
    """A method of redis-py's client; the driver sends back what it returns.

    An idempotent command is repeated by the driver until it has a reply. For any other one,
    ReplyLostError is thrown into the reader.
    """

    name: str
    arguments: tuple[Any, ...]
    options: dict[str, Any] = field(default_factory=dict)
    idempotent: bool = True


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event for the user; the driver sends back its `Outcome`."""

    entry_id: str
    event: Event


@dataclass(frozen=True, slots=True)
class Failed:
    """A delivery that was tried in vain."""

    reason: str


# Of a delivery; True: it was handled; None: not really tried, because a stop came in between.
Outcome = Literal[True] | Failed | None
Step = Command | Delivery | Report
Steps = Generator[Step, Any, None]
Query = Generator[Step, Any, Any]  # steps that return something


def read_entry(entry_id: str, text: bytes | None) -> Event | BadEntry:
    """Decode the event of an entry, or report what is wrong with it.

    Args:
        entry_id: of the stream.
        text: JSON of the event; None if the entry has no such field.
    """
    if text is None:
        return BadEntry(entry_id, f"it has no field {FIELD!r}")
    try:
        return decode_event(text)
    except EventError as error:
        return BadEntry(entry_id, str(error))


def fields_of(pairs: Sequence[bytes]) -> dict[bytes, bytes]:
    """Return the fields of an entry, or a hash, as a script returns them: names and values."""
    return dict(zip(pairs[::2], pairs[1::2], strict=True))


def only_group(fields: Mapping[bytes, bytes]) -> str | None:
    """Return the group for which an entry was put back; None: it is for every reader.

    Args:
        fields: of the entry.
    """
    group = fields.get(ONLY_FIELD.encode())
    return None if group is None else group.decode(errors="replace")


def check_sequence(event: Event, before: int, entry_id: str) -> SequenceGap | Duplicate | None:
    """Compare the number of an event with the newest one seen before.

    Args:
        event: just read.
        before: newest sequence number seen of this camera and run, 0 for none, -1 if unknown.
        entry_id: of the event.

    Returns:
        What the numbers prove; None if the event is the next one or nothing is known.
    """
    if before < 0 or event.seq == before + 1:
        return None
    if event.seq <= before:
        return Duplicate(event.origin, event.seq, entry_id)
    return SequenceGap(event.origin, before + 1, event.seq - 1)


def is_entry_id(text: str) -> bool:
    """Whether a text is the id of an entry: milliseconds, or milliseconds-sequence."""
    parts = text.split("-")
    digits = all(part.isascii() and part.isdecimal() and len(part) <= 20 for part in parts)
    return len(parts) <= 2 and digits and all(int(part) < 2**64 for part in parts)


def entry_order(entry_id: str) -> tuple[int, int]:
    """Return the milliseconds and the sequence of an entry id, by which entries are ordered."""
    milliseconds, _, sequence = entry_id.partition("-")
    return int(milliseconds), int(sequence or 0)
