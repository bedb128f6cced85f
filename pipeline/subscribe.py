"""Read the events of a stream as any program would, and print them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TextIO

from pipeline.events import ActionEvent, EventError, encode_event
from pipeline.media_time import format_media_time
from pipeline.redis_store import BEGINNING, RedisEventStore

NEWEST = "$"  # as in Redis: only what comes after now

_BLOCK_S = 0.5  # how late a stop may be noticed
_VERBS = {"start": "starts", "update": "still", "end": "ended"}


def follow(
    store: RedisEventStore, start: str, stop: threading.Event, *, to_end_only: bool = False
) -> Iterator[tuple[str, ActionEvent | EventError]]:
    """Yield the entries of the stream in order until `stop` is set.

    Args:
        store: where the stream is.
        start: `0` for everything that is still there, `$` for what comes from now on, or an entry
            id to go on after it.
        stop: noticed within half a second.
        to_end_only: return at the entry that is the newest one now instead of waiting for more.

    Returns:
        Pairs of entry id and event; for an entry that is no event, what is wrong with it.

    Raises:
        EventStoreError: if the server stays away, or `start` is no entry id.
    """
    last_id = store.last_id() if to_end_only else None
    # Resolved once: asking for "$" again and again would miss what comes between two calls.
    position = store.last_id() if start == NEWEST else BEGINNING if start == "0" else start
    while not stop.is_set():
        entries = store.read_after(position, block_s=0.0 if to_end_only else _BLOCK_S)
        for position, event in entries:
            if last_id is not None and _id_order(position) > _id_order(last_id):
                return
            yield position, event
        if to_end_only and not entries:
            return


def print_events(
    store: RedisEventStore,
    *,
    start: str,
    stop: threading.Event,
    out: TextIO,
    err: TextIO,
    count: int | None = None,
    to_end_only: bool = False,
    as_json: bool = False,
) -> int:
    """Print one line per event, flushed at once, so that a pipe sees it as it happens.

    What is no event (another program wrote it) is named on `err` and does not count.

    Args:
        store: where the stream is.
        start: see `follow`.
        stop: see `follow`.
        out: gets the events.
        err: gets the rest.
        count: return after this many events; None: no limit.
        to_end_only: see `follow`.
        as_json: print what `encode_event` gives instead of a line for people.

    Returns:
        How many events were printed.

    Raises:
        EventStoreError: as `follow`.
    """
    printed = 0
    if count == 0:
        return printed
    for entry_id, event in follow(store, start, stop, to_end_only=to_end_only):
        if isinstance(event, EventError):
            print(f"entry {entry_id} skipped: {_printable(str(event))}", file=err, flush=True)
            continue
        print(encode_event(event) if as_json else format_event(event), file=out, flush=True)
        printed += 1
        if printed == count:
            break
    return printed


def format_event(event: ActionEvent) -> str:
    """One line for people: where, when (media time), who, what, how sure.

    `pets09  0:12.3  person 7    starts  walking         93%`
    """
    when_s = event.start_pts_s if event.kind == "start" else event.end_pts_s
    line = (
        f"{event.camera_id}  {format_media_time(when_s):>7}  person {event.track_id:<3} "
        f"{_VERBS[event.kind]:<6}  {event.action:<14}  {event.score:4.0%}"
    )
    if event.kind == "end":
        why = f", {event.end_reason.replace('_', ' ')}" if event.end_reason else ""
        duration_s = event.end_pts_s - event.start_pts_s
        line += f"  after {duration_s:.1f} s, at most {event.peak_score:.0%}{why}"
    return _printable(line)


def _printable(text: str) -> str:
    """Names come from other programs; an escape sequence in them must not reach a terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)


def _id_order(entry_id: str) -> tuple[int, int]:
    milliseconds, _, sequence = entry_id.partition("-")
    return int(milliseconds), int(sequence)
