"""A reader that is one consumer of a group: every event at least once, whichever process dies."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.event_filter import EventFilter
from pipeline.events import Event, SequenceGap
from pipeline.printable import printable
from pipeline.redis_store.names import FIELD, StreamKeys
from pipeline.subscriber.group_scripts import CREATE_GROUP, PEEK, RESTART, TAKE
from pipeline.subscriber.protocol import (
    BEGINNING,
    FIRST_ID,
    Command,
    Delivery,
    NoGroupError,
    Outcome,
    Query,
    ReplyLostError,
    Steps,
    check_sequence,
    entry_order,
    fields_of,
    only_group,
    read_entry,
)
from pipeline.subscriber.reports import (
    BadEntry,
    DeadLetter,
    Duplicate,
    GroupLost,
    StreamReset,
    Trimmed,
)

REMEMBER_S = 90 * 86_400  # how long a group remembers the newest number of a camera and run
_LONGEST_REASON = 300  # characters
_MAX_RETURNED = 100  # entries on leaving; a consumer never reads more at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSettings:
    """Names, limits and times of one consumer of a group."""

    group: str
    consumer: str
    start: str  # of a new group: 0, $ or an entry id
    max_tries: int
    claim_after_s: float  # entries unacknowledged for longer are claimed
    retry_after_s: float
    block_s: float
    count: int = 20  # entries per read


class GroupReader:
    """Reads what the group has not read yet, and claims what dead consumers left.

    Args:
        keys: of the stream.
        settings: of group and consumer.
        wanted: which events are delivered; the rest is acknowledged immediately.
        monotonic: clock of pauses, seconds.
    """

    def __init__(
        self,
        keys: StreamKeys,
        settings: GroupSettings,
        wanted: EventFilter,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keys, self._settings, self._wanted = keys, settings, wanted
        self._monotonic = monotonic
        self._name = (keys.stream, settings.group)
        self._claim_at = 0.0
        self._retry_at: dict[
            str, float
        ] = {}  # monotonic seconds by entry id, of events that failed here
        self._reasons: dict[str, str] = {}  # of the same events, why
        self._current: str | None = None  # entry that the user is handling

    def steps(self) -> Steps:
        """Yield the steps of reading; they never end."""
        yield from self._join(self._settings.start)
        starting, lost_reply = True, False
        while True:
            try:
                if starting:  # with what this consumer left unacknowledged before a restart
                    yield from self._report_gaps()
                    yield from self._claim_pending(consumer=self._settings.consumer, idle_s=0.0)
                    starting = False
                if lost_reply:
                    yield from self._report_gaps()
                    yield from self._take_lost_reply()
                    lost_reply = False
                yield from self._retry_due()
                if self._monotonic() >= self._claim_at:
                    self._claim_at = self._monotonic() + self._settings.claim_after_s / 2
                    yield from self._claim_pending(idle_s=self._settings.claim_after_s)
                yield from self._read_new()
            except ReplyLostError:
                lost_reply = True
            except NoGroupError:
                yield GroupLost(self._settings.group)
                yield from self._join(BEGINNING)

    def leave(self) -> Steps:
        """Yield the steps of leaving: return unacknowledged entries, or delete the consumer."""
        name, consumer = self._name, self._settings.consumer
        rows = yield Command("xpending_range", (*name, "-", "+", _MAX_RETURNED, consumer))
        for row in rows:
            entry_id, tries = row["message_id"].decode(), int(row["times_delivered"])
            options = {
                "min_idle_time": 0,
                "message_ids": [entry_id],
                "idle": round(2e3 * self._settings.claim_after_s),
                "retrycount": tries if self._was_tried(entry_id) else tries - 1,
                "justid": True,
            }
            yield Command("xclaim", (*name, consumer), options)
        if not rows:
            yield Command("xgroup_delconsumer", (*name, consumer))

    def _was_tried(self, entry_id: str) -> bool:
        return entry_id == self._current or entry_id in self._retry_at

    def _join(self, start: str) -> Steps:
        keys = (self._keys.stream, self._keys.newest, self._keys.seen(self._settings.group))
        yield Command("eval", (CREATE_GROUP, len(keys), *keys, self._settings.group, start))

    def _read_new(self) -> Steps:
        """Peek at the next entries, decide which are events, and take all of them or none."""
        group, stream = self._settings.group, self._keys.stream
        peek = Command("eval", (PEEK, 1, stream, group, self._settings.count))
        position, newest, rows = yield peek
        if not rows:
            yield from self._wait(position.decode(), newest.decode())
            return
        found = [_peeked(raw_id.decode(), pairs) for raw_id, pairs in rows]
        befores = yield self._take(position, found)
        if befores is None:  # another consumer was faster
            return
        read_at = self._monotonic()
        for one, before in zip(found, befores, strict=True):
            yield from self._receive(one, int(before), read_at)

    def _take(self, position: bytes, found: Sequence[_Peeked]) -> Command:
        group = self._settings.group
        names = (self._keys.seen, self._keys.seen_ages, self._keys.gaps)
        keys = (self._keys.stream, *(name(group) for name in names))
        arguments: list[str | bytes | int] = [group, self._settings.consumer, position, REMEMBER_S]
        for one in found:
            event, number = one.event, ("", 0)
            if one.only is None and not isinstance(event, BadEntry):
                number = (event.origin, event.seq)
            arguments += (one.entry_id, *number)
        return Command("eval", (TAKE, len(keys), *keys, *arguments), idempotent=False)

    def _wait(self, position: str, newest: str) -> Steps:
        """Wait for an entry, at most `block_s` seconds."""
        stream = self._keys.stream
        if entry_order(position) > entry_order(newest):
            yield StreamReset(position, newest, FIRST_ID)
            yield Command("eval", (RESTART, 1, stream, self._settings.group, position))
            return
        options = {"count": 1, "block": round(1e3 * self._settings.block_s)}
        yield Command("xread", ({stream: newest},), options)

    def _receive(self, one: _Peeked, before: int, read_at: float) -> Steps:
        entry_id, event = one.entry_id, one.event
        if one.only not in (None, self._settings.group):
            yield self._ack(entry_id)
            return
        if isinstance(event, BadEntry):
            yield event
            yield self._ack(entry_id)
            return
        # What was put back has an old number.
        report = check_sequence(event, before, entry_id) if one.only is None else None
        if report is not None:
            yield report
        if isinstance(report, SequenceGap):
            yield self._forget_gap(f"{report.origin} {report.first_seq}")
        if isinstance(report, Duplicate) or not self._wanted.matches(event):
            yield self._ack(entry_id)
            return
        if self._monotonic() - read_at > self._settings.claim_after_s / 2:
            still_ours = yield from self._renew_claim(entry_id)
            if not still_ours:
                return  # it waited here for so long that another consumer claimed it
        yield from self._deliver(entry_id, event)

    def _report_gaps(self) -> Steps:
        """Report gaps noted by a consumer that died before reporting them or lost the reply."""
        gaps = yield Command("hgetall", (self._keys.gaps(self._settings.group),))
        for name, last in gaps.items():
            origin, _, first = name.decode(errors="replace").rpartition(" ")
            if first.isdecimal() and last.isdigit():  # else it was not noted by a consumer
                yield SequenceGap(origin, int(first), int(last))
            yield self._forget_gap(name)

    def _forget_gap(self, name: str | bytes) -> Command:
        return Command("hdel", (self._keys.gaps(self._settings.group), name))

    def _deliver(self, entry_id: str, event: Event) -> Steps:
        self._current = entry_id
        outcome: Outcome = yield Delivery(entry_id, event)
        self._current = None
        if outcome is True:
            self._retry_at.pop(entry_id, None)
            self._reasons.pop(entry_id, None)
            yield self._ack(entry_id)
        elif outcome is not None:
            self._reasons[entry_id] = printable(outcome.reason, _LONGEST_REASON)
            self._retry_at[entry_id] = self._monotonic() + self._settings.retry_after_s

    def _retry_due(self) -> Steps:
        for entry_id, due in list(self._retry_at.items()):
            if self._monotonic() >= due:
                del self._retry_at[entry_id]
                yield from self._claim_pending(
                    consumer=self._settings.consumer, first=entry_id, last=entry_id, idle_s=0.0
                )

    def _claim_pending(
        self, *, idle_s: float, consumer: str | None = None, first: str = "-", last: str = "+"
    ) -> Steps:
        """Deliver unacknowledged entries again, or dead-letter them after the last try."""
        idle_ms = round(1e3 * idle_s)
        while True:
            options: dict[str, Any] = {"idle": idle_ms} if idle_ms else {}
            page = (first, last, self._settings.count, consumer)
            rows = yield Command("xpending_range", (*self._name, *page), options)
            for row in rows:
                entry_id = row["message_id"].decode()
                if entry_id not in self._retry_at:
                    yield from self._retry(entry_id, int(row["times_delivered"]), idle_ms)
            if len(rows) < self._settings.count:
                return
            first = f"({rows[-1]['message_id'].decode()}"

    def _retry(self, entry_id: str, tries: int, idle_ms: int) -> Steps:
        options = {"min_idle_time": idle_ms, "message_ids": [entry_id]}
        claim = Command("xclaim", (*self._name, self._settings.consumer), options)
        claimed = [(key, fields) for key, fields in (yield claim) if key is not None and fields]
        if not claimed:
            there = yield Command("xrange", (self._keys.stream, entry_id, entry_id))
            if not there:  # else another consumer claimed it first
                yield Trimmed(entry_id)
                yield self._ack(entry_id)
            return
        yield from self._deliver_again(entry_id, claimed[0][1], tries)

    def _dead_letter(self, entry_id: str, text: bytes, tries: int) -> Steps:
        target = self._keys.dead_letters(self._settings.group)
        fields = {FIELD: text, "entry_id": entry_id, "tries": str(tries)}
        if reason := self._reasons.pop(entry_id, None):  # unknown after a restart
            fields["reason"] = reason
        yield Command("xadd", (target, fields), {"maxlen": 10_000, "approximate": True})
        yield self._ack(entry_id)
        yield DeadLetter(entry_id, target, tries)

    def _take_lost_reply(self) -> Steps:
        """Deliver the entries of a lost reply: they are assigned to us and were not tried."""
        streams = {self._keys.stream: BEGINNING}
        reply = yield Command(
            "xreadgroup", (self._settings.group, self._settings.consumer, streams)
        )
        for raw_id, fields in reply[0][1] if reply else []:
            entry_id = raw_id.decode()
            if entry_id in self._retry_at:
                continue
            if fields is None:
                yield Trimmed(entry_id)
                yield self._ack(entry_id)
            else:
                yield from self._deliver_again(entry_id, fields)

    def _deliver_again(self, entry_id: str, fields: Mapping[bytes, bytes], tries: int = 0) -> Steps:
        text = fields.get(FIELD.encode())
        event = read_entry(entry_id, text)
        if only_group(fields) not in (None, self._settings.group):
            yield self._ack(entry_id)
        elif isinstance(event, BadEntry):
            yield event
            yield self._ack(entry_id)
        elif text is not None and tries >= self._settings.max_tries:
            yield from self._dead_letter(entry_id, text, tries)
        elif self._wanted.matches(event):
            yield from self._deliver(entry_id, event)
        else:
            yield self._ack(entry_id)

    def _renew_claim(self, entry_id: str) -> Query:
        """Restart the idle time of an entry; returns False if another consumer has claimed it."""
        consumer = self._settings.consumer
        rows = yield Command("xpending_range", (*self._name, entry_id, entry_id, 1, consumer))
        if rows:
            options = {"min_idle_time": 0, "message_ids": [entry_id], "justid": True}
            yield Command("xclaim", (*self._name, consumer), options)
        return bool(rows)

    def _ack(self, entry_id: str) -> Command:
        return Command("xack", (*self._name, entry_id))


@dataclass(frozen=True, slots=True)
class _Peeked:
    """A new entry that the group has not taken yet."""

    entry_id: str
    event: Event | BadEntry
    only: str | None  # the group for which it was put back


def _peeked(entry_id: str, pairs: Sequence[bytes]) -> _Peeked:
    """Decode an entry as a script returns it."""
    fields = fields_of(pairs)
    event = read_entry(entry_id, fields.get(FIELD.encode()))
    return _Peeked(entry_id, event, only_group(fields))
