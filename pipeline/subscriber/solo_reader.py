"""A reader without a group: every event once, nothing remembered on the server."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

from pipeline.event_filter import EventFilter
from pipeline.events import Event
from pipeline.redis_store.names import FIELD, StreamKeys
from pipeline.subscriber.protocol import (
    BEGINNING,
    FIRST_ID,
    NEWEST,
    Command,
    Delivery,
    Query,
    Steps,
    check_sequence,
    entry_order,
    fields_of,
    only_group,
    read_entry,
)
from pipeline.subscriber.reports import BadEntry, Duplicate, StreamReset

# Where a reader without a group begins. KEYS: stream, newest numbers.
POSITION = """
local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
return {newest[1] and newest[1][1] or '0-0', redis.call('HGETALL', KEYS[2])}
"""

# Where the stream ends: the newest id that it ever had, and its newest entry. KEYS: stream.
END = """
if redis.call('EXISTS', KEYS[1]) == 0 then return {'0-0', {}} end
local last = '0-0'
local info = redis.call('XINFO', 'STREAM', KEYS[1])
for i = 1, #info, 2 do
  if info[i] == 'last-generated-id' then last = info[i + 1] end
end
return {last, redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)}
"""

_REMEMBERED = 1000  # entries that were read: more than a server loses that fails over


class SoloReader:
    """Reads the stream from a position, to the end or until it is stopped.

    Args:
        keys: of the stream.
        start: `0`, `$`, or the id of the entry after which to resume.
        wanted: which events are delivered.
        block_s: longest wait within one command, seconds.
        count: entries per read.
        to_end_only: end at the entry that is the newest one at the start.
    """

    def __init__(
        self,
        keys: StreamKeys,
        start: str,
        wanted: EventFilter,
        *,
        block_s: float,
        count: int = 100,
        to_end_only: bool = False,
    ) -> None:
        self._keys, self._start, self._wanted = keys, start, wanted
        self._block_s, self._count, self._to_end_only = block_s, count, to_end_only
        self._read_entries: deque[tuple[str, int]] = deque(maxlen=_REMEMBERED)  # id, hash
        self._reread_to = (0, 0)  # repeated events up to this id are expected

    def steps(self) -> Steps:
        """Yield the steps of reading; they end only with `to_end_only`."""
        keys = (self._keys.stream, self._keys.newest)
        newest, numbers = yield Command("eval", (POSITION, len(keys), *keys))
        end, seen = newest.decode(), _Seen(self._start, numbers)
        position = end if self._start == NEWEST else self._start
        if self._to_end_only:
            position = yield from self._checked(position)
        while True:
            options = {"count": self._count}
            if not self._to_end_only:
                options["block"] = round(1e3 * self._block_s)
            reply = yield Command("xread", ({self._keys.stream: position},), options)
            for key, fields in reply[0][1] if reply else []:
                position = key.decode()
                if self._to_end_only and entry_order(position) > entry_order(end):
                    return
                yield from self._read(position, fields, seen)
            if not reply:
                if self._to_end_only:
                    return
                position = yield from self._checked(position)

    def leave(self) -> Steps:
        """Yield the steps of leaving: none, the server knows nothing of this reader."""
        yield from ()

    def _checked(self, position: str) -> Query:
        """Return the position to read from: the same, unless the stream ends before it."""
        last, rows = yield Command("eval", (END, 1, self._keys.stream))
        if entry_order(last.decode()) >= entry_order(position):
            return position
        resumed = FIRST_ID
        for raw_id, pairs in rows:
            # After a failover the newest entry is one that was read; else it is another one, which
            # may have the same id if the clock of the server was ahead.
            if (raw_id.decode(), _hash_of(fields_of(pairs))) in self._read_entries:
                resumed = raw_id.decode()
        yield StreamReset(position, last.decode(), resumed)
        self._reread_to = entry_order(last.decode())
        return resumed

    def _read(self, entry_id: str, fields: dict[bytes, bytes], seen: _Seen) -> Steps:
        self._read_entries.append((entry_id, _hash_of(fields)))
        if only_group(fields) is not None:
            return
        event = read_entry(entry_id, fields.get(FIELD.encode()))
        if isinstance(event, BadEntry):
            yield event
            return
        report = check_sequence(event, seen.before(event), entry_id)
        repeated = isinstance(report, Duplicate)
        if report is not None and not (repeated and entry_order(entry_id) <= self._reread_to):
            yield report
        if not repeated:
            seen.add(event)
            if self._wanted.matches(event):
                yield Delivery(entry_id, event)


def _hash_of(fields: Mapping[bytes, bytes]) -> int:
    return hash(tuple(sorted(fields.items())))


class _Seen:
    """The newest number read of each camera and run; -1 for those before a start in the middle."""

    def __init__(self, start: str, newest: Sequence[bytes]) -> None:
        self._numbers: dict[str, int] = {}
        self._unknown = -1 if start not in (BEGINNING, NEWEST) else 0
        if start == NEWEST:
            self._numbers = {
                name.decode(errors="replace"): int(number)
                for name, number in fields_of(newest).items()
                if number.isdigit()  # else it is not of a publisher
            }

    def before(self, event: Event) -> int:
        return self._numbers.get(event.origin, self._unknown)

    def add(self, event: Event) -> None:
        self._numbers[event.origin] = event.seq
