"""The Redis commands that the readers use, executed on lists and dictionaries of this process.

It holds what a reader relies on: the order of entries, the pending list of a group, idle times and
delivery counts. There is no network, hence no outage; nothing is trimmed or forgotten unasked.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from redis import ResponseError

from pipeline.subscriber.group_scripts import (
    CREATE_GROUP,
    PEEK,
    RESTART,
    STARTED_MIDWAY,
    TAKE,
)
from pipeline.subscriber.protocol import BEGINNING, NEWEST, entry_order
from pipeline.subscriber.solo_reader import END, POSITION

_POLL_S = 0.01  # of a waiting asyncio client

EntryId = tuple[int, int]  # milliseconds, sequence
Fields = dict[bytes, bytes]
Row = tuple[bytes, Fields]


@dataclass(slots=True)
class _Stream:
    entries: dict[EntryId, Fields] = field(default_factory=dict)  # in order
    last_id: EntryId = (0, 0)  # of the newest entry that was ever added


@dataclass(slots=True)
class _Pending:
    """An entry that a consumer has received and not acknowledged."""

    consumer: str
    delivered_at: float  # monotonic seconds
    tries: int


@dataclass(slots=True)
class _Group:
    last_id: EntryId  # of the newest entry that a consumer has received
    pending: dict[EntryId, _Pending] = field(default_factory=dict)


class InMemoryRedis:
    """Has the methods of a redis-py client that readers name in their commands; thread-safe.

    Args and results are those of redis-py with protocol 2: ids and texts of replies are bytes.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._streams: dict[str, _Stream] = {}
        self._groups: dict[tuple[str, str], _Group] = {}
        self._hashes: dict[str, dict[bytes, bytes]] = {}

    def ping(self) -> bool:
        """Answer."""
        return True

    def close(self) -> None:
        """Keep everything: other subscribers read from the same place."""

    def eval(self, script: str, key_count: int, *keys_and_arguments: Any) -> Any:
        """Execute the script of a reader; only those that this module knows."""
        scripts: dict[str, Callable[..., Any]] = {
            POSITION: self._position,
            END: self._end,
            CREATE_GROUP: self._create_group,
            PEEK: self._peek,
            TAKE: self._take,
            RESTART: self._restart,
        }
        with self._changed:
            return scripts[script](*keys_and_arguments)

    def hset(self, key: str, name: str, value: int) -> None:
        """Set one field of a hash."""
        with self._changed:
            self._hashes.setdefault(key, {})[name.encode()] = str(value).encode()

    def hgetall(self, key: str) -> dict[bytes, bytes]:
        """Return a copy of a hash."""
        with self._changed:
            return dict(self._hashes.get(key, {}))

    def hdel(self, key: str, name: str | bytes) -> None:
        """Delete one field of a hash."""
        with self._changed:
            self._hashes.get(key, {}).pop(_bytes(name), None)

    def xadd(self, name: str, fields: Mapping[str, str | bytes], **trimming: object) -> bytes:
        """Append an entry and return its id."""
        with self._changed:
            stream = self._streams.setdefault(name, _Stream())
            milliseconds, sequence = stream.last_id
            now = int(1e3 * time.time())
            stream.last_id = (now, 0) if now > milliseconds else (milliseconds, sequence + 1)
            stream.entries[stream.last_id] = {
                _bytes(key): _bytes(value) for key, value in fields.items()
            }
            self._changed.notify_all()
            return _text(stream.last_id)

    def xtrim(self, name: str, maxlen: int) -> None:
        """Remove the oldest entries until `maxlen` are left."""
        with self._changed:
            entries = self._streams.setdefault(name, _Stream()).entries
            for entry_id in list(entries)[: max(0, len(entries) - maxlen)]:
                del entries[entry_id]

    def xrange(self, name: str, low: str = "-", high: str = "+") -> list[Row]:
        """Return the entries between two ids; `(` excludes the lower one."""
        with self._changed:
            entries = self._streams.get(name, _Stream()).entries
            return [(_text(one), entries[one]) for one in entries if _is_within(one, low, high)]

    def xread(
        self, streams: Mapping[str, str], count: int, block: int | None = None
    ) -> list[list[Any]]:
        """Return entries behind an id; wait for one for at most `block` milliseconds."""
        ((name, after),) = streams.items()
        with self._changed:
            if block is not None:
                self._changed.wait_for(lambda: self._rows_after(name, after, 1), block / 1e3)
            rows = self._rows_after(name, after, count)
            return [[name.encode(), rows]] if rows else []

    def xack(self, name: str, group: str, *entry_ids: str) -> int:
        """Remove entries from the pending list of a group; return how many were on it."""
        with self._changed:
            pending = self._groups[name, group].pending if (name, group) in self._groups else {}
            found = [pending.pop(entry_order(entry_id), None) for entry_id in entry_ids]
            return sum(one is not None for one in found)

    def xpending_range(
        self,
        name: str,
        group: str,
        low: str,
        high: str,
        count: int,
        consumer: str | None = None,
        idle: int = 0,
    ) -> list[dict[str, Any]]:
        """Return pending entries with their delivery counts; `idle` in milliseconds."""
        with self._changed:
            rows = [
                {"message_id": _text(entry_id), "times_delivered": one.tries}
                for entry_id, one in sorted(self._group(name, group).pending.items())
                if _is_within(entry_id, low, high)
                and consumer in (None, one.consumer)
                and _idle_ms(one) >= idle
            ]
            return rows[:count]

    def pending_count(self, name: str, group: str) -> int:
        """Return the length of the pending list, 0 where there is no such group."""
        with self._changed:
            return len(self._groups[name, group].pending) if (name, group) in self._groups else 0

    def xclaim(
        self,
        name: str,
        group: str,
        consumer: str,
        min_idle_time: int,
        message_ids: Sequence[str],
        idle: int = 0,
        retrycount: int | None = None,
        justid: bool = False,
    ) -> list[Any]:
        """Give pending entries to a consumer; times in milliseconds."""
        with self._changed:
            pending = self._group(name, group).pending
            entries = self._streams[name].entries
            claimed: list[Row] = []
            for entry_id in map(entry_order, message_ids):
                one = pending.get(entry_id)
                if one is None or _idle_ms(one) < min_idle_time:
                    continue
                if entry_id not in entries:  # as a server from version 7 on
                    del pending[entry_id]
                    continue
                tries = one.tries + (not justid) if retrycount is None else retrycount
                pending[entry_id] = _Pending(consumer, time.monotonic() - idle / 1e3, tries)
                claimed.append((_text(entry_id), entries[entry_id]))
            return [entry_id for entry_id, _ in claimed] if justid else claimed

    def xgroup_delconsumer(self, name: str, group: str, consumer: str) -> int:
        """Do nothing: a consumer is no more than a name on its pending entries."""
        return 0

    def _rows_after(self, name: str, after: str, count: int) -> list[Row]:
        return self.xrange(name, f"({after}")[:count]

    def _group(self, name: str, group: str) -> _Group:
        try:
            return self._groups[name, group]
        except KeyError:
            raise ResponseError(f"NOGROUP No such key '{name}' or group '{group}'") from None

    # The scripts of the readers, statement by statement; keys and arguments are explained there.

    def _position(self, stream: str, newest: str) -> list[Any]:
        entries = self._streams.get(stream, _Stream()).entries
        numbers = [text for pair in self._hashes.get(newest, {}).items() for text in pair]
        return [_text(max(entries, default=(0, 0))), numbers]

    def _create_group(self, stream: str, newest: str, seen: str, group: str, start: str) -> int:
        if (stream, group) in self._groups:
            return 0
        last_id = self._streams.setdefault(stream, _Stream()).last_id
        self._groups[stream, group] = _Group(last_id if start == NEWEST else entry_order(start))
        self._hashes[seen] = dict(self._hashes.get(newest, {})) if start == NEWEST else {}
        if start not in (BEGINNING, NEWEST):
            self._hashes[seen][STARTED_MIDWAY.encode()] = b"1"
        return 1

    def _end(self, stream: str) -> list[Any]:
        found = self._streams.get(stream, _Stream())
        newest = sorted(found.entries)[-1:]
        return [_text(found.last_id), [_flat(one, found.entries[one]) for one in newest]]

    def _peek(self, stream: str, group: str, count: int) -> list[Any]:
        position = _text(self._group(stream, group).last_id)
        rows = [
            _flat(entry_order(raw_id.decode()), fields)
            for raw_id, fields in self._rows_after(stream, position.decode(), count)
        ]
        return [position, _text(self._streams[stream].last_id), rows]

    def _take(
        self,
        stream: str,
        seen: str,
        seen_ages: str,
        gaps: str,
        group: str,
        consumer: str,
        position: bytes,
        remember_s: int,
        *entries: Any,
    ) -> list[int] | None:
        reader = self._group(stream, group)
        triples = list(zip(entries[::3], entries[1::3], entries[2::3], strict=True))
        rows = self._rows_after(stream, position.decode(), len(triples))
        peeked = [entry_id for entry_id, _, _ in triples]
        if _text(reader.last_id) != position or [one.decode() for one, _ in rows] != peeked:
            return None
        found: list[int] = []
        for entry_id, origin, seq in triples:
            reader.last_id = entry_order(entry_id)
            reader.pending[reader.last_id] = _Pending(consumer, time.monotonic(), 1)
            found.append(self._note_number(origin, seq, seen, gaps) if origin else -1)
        return found

    def _note_number(self, origin: str, seq: int, seen: str, gaps: str) -> int:
        """Return the newest number seen before, -1 if unknown; store the new one, and a gap."""
        numbers = self._hashes.setdefault(seen, {})
        unknown = -1 if STARTED_MIDWAY.encode() in numbers else 0
        before = int(numbers.get(origin.encode(), unknown))
        if 0 <= before < seq - 1:
            self.hset(gaps, f"{origin} {before + 1}", seq - 1)
        if seq > before:
            self.hset(seen, origin, seq)
        return before

    def _restart(self, stream: str, group: str, position: str) -> int:
        reader = self._group(stream, group)
        if _text(reader.last_id).decode() != position:
            return 0
        reader.last_id = (0, 0)
        return 1


class AsyncInMemoryRedis:
    """The same commands as coroutine functions."""

    def __init__(self, redis: InMemoryRedis) -> None:
        self._redis = redis

    def __getattr__(self, name: str) -> Callable[..., Any]:
        command = getattr(self._redis, name)

        async def execute(*arguments: Any, **options: Any) -> Any:
            return command(*arguments, **options)

        return execute

    async def aclose(self) -> None:
        """Keep everything, as `InMemoryRedis.close`."""

    async def xread(
        self, streams: Mapping[str, str], count: int, block: int | None = None
    ) -> list[list[Any]]:
        """Return entries behind an id; wait for one for at most `block` milliseconds."""
        deadline = time.monotonic() + (block or 0) / 1e3
        while not (reply := self._redis.xread(streams, count)) and time.monotonic() < deadline:
            await asyncio.sleep(_POLL_S)
        return reply


def _bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


def _text(entry_id: EntryId) -> bytes:
    return b"%d-%d" % entry_id


def _flat(entry_id: EntryId, fields: Fields) -> list[Any]:
    """Return an entry as a script returns it."""
    return [_text(entry_id), [text for pair in fields.items() for text in pair]]


def _idle_ms(pending: _Pending) -> float:
    return 1e3 * (time.monotonic() - pending.delivered_at)


def _is_within(entry_id: EntryId, low: str, high: str) -> bool:
    if low.startswith("("):
        above = entry_id > entry_order(low[1:])
    else:
        above = low == "-" or entry_id >= entry_order(low)
    return above and (high == "+" or entry_id <= entry_order(high))
