"""One consumer of a group: every event at least once, whoever dies."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pipeline.event_filter import EventFilter
from pipeline.events import Event, SequenceGap
from pipeline.redis_store.names import FIELD, StreamKeys
from pipeline.subscriber.group_scripts import CREATE_GROUP, READ_NEW
from pipeline.subscriber.protocol import (
    BEGINNING,
    Asking,
    Command,
    Delivery,
    NoGroupError,
    ReplyLostError,
    Steps,
    out_of_order,
    read_entry,
)
from pipeline.subscriber.reports import BadEntry, DeadLetter, Duplicate, GroupLost, Trimmed

REMEMBER_S = 90 * 86_400  # how long a group knows what it has had of a camera and run
_HANDED_BACK = 100  # entries at most; more are not read at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSettings:
    """How a consumer of a group works."""

    group: str
    consumer: str
    start: str  # for a group that is not there yet: 0, $ or an entry id
    max_tries: int
    claim_after_s: float  # what another consumer has kept for so long without an answer is taken
    retry_after_s: float
    block_s: float
    count: int = 20  # entries per read


class GroupReader:
    """One consumer of a group: at least once, whoever dies.

    Args:
        keys: of the stream.
        settings: of group and consumer.
        wanted: what is delivered; the rest is acknowledged at once.
        monotonic: seconds.
        now: Unix seconds.
    """

    def __init__(
        self,
        keys: StreamKeys,
        settings: GroupSettings,
        wanted: EventFilter,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._keys, self._settings, self._wanted = keys, settings, wanted
        self._monotonic, self._now = monotonic, now
        self._name = (keys.stream, settings.group)
        self._claim_at = 0.0
        self._retry_at: dict[str, float] = {}  # failed here, by entry id
        self._in_hand: str | None = None  # delivered, not answered yet

    def steps(self) -> Steps:
        """Endless."""
        yield from self._join(self._settings.start)
        begins, lost_reply = True, False
        while True:
            try:
                if begins:  # with what an earlier life of this consumer left
                    yield from self._tell_gaps()
                    yield from self._take_pending(consumer=self._settings.consumer, idle_s=0.0)
                    begins = False
                if lost_reply:
                    yield from self._tell_gaps()
                    yield from self._take_unanswered()
                    lost_reply = False
                yield from self._retry_due()
                if self._monotonic() >= self._claim_at:
                    self._claim_at = self._monotonic() + self._settings.claim_after_s / 2
                    yield from self._take_pending(idle_s=self._settings.claim_after_s)
                yield from self._read_new()
            except ReplyLostError:
                lost_reply = True
            except NoGroupError:
                yield GroupLost(self._settings.group)
                yield from self._join(BEGINNING)

    def leave(self) -> Steps:
        """Let the others have at once what this consumer was given, or take its name off."""
        name, consumer = self._name, self._settings.consumer
        rows = yield Command("xpending_range", (*name, "-", "+", _HANDED_BACK, consumer))
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
        return entry_id == self._in_hand or entry_id in self._retry_at

    def _join(self, start: str) -> Steps:
        keys = (self._keys.stream, self._keys.newest, self._keys.seen(self._settings.group))
        yield Command("eval", (CREATE_GROUP, len(keys), *keys, self._settings.group, start))

    def _read_new(self) -> Steps:
        group = self._settings.group
        names = (self._keys.seen, self._keys.seen_ages, self._keys.gaps)
        keys = (self._keys.stream, *(name(group) for name in names))
        now = self._now()
        arguments = (group, self._settings.consumer, self._settings.count, now, now - REMEMBER_S)
        newest, rows = yield Command("eval", (READ_NEW, len(keys), *keys, *arguments), again=False)
        if not rows:
            yield _wait(self._keys.stream, newest.decode(), self._settings.block_s)
            return
        read_at = self._monotonic()
        for entry_id, text, before in rows:
            yield from self._take(entry_id.decode(), text, int(before), read_at)

    def _take(self, entry_id: str, text: bytes | None, before: int, read_at: float) -> Steps:
        event = read_entry(entry_id, text)
        if isinstance(event, BadEntry):
            yield event
            yield self._ack(entry_id)
            return
        report = out_of_order(event, before, entry_id)
        if report is not None:
            yield report
        if isinstance(report, SequenceGap):
            yield self._told(f"{report.origin} {report.first_seq}")
        if isinstance(report, Duplicate) or not self._wanted.matches(event):
            yield self._ack(entry_id)
            return
        if self._monotonic() - read_at > self._settings.claim_after_s / 2:
            still = yield from self._keep(entry_id)
            if not still:
                return  # it waited here for so long that another consumer took it
        yield from self._deliver(entry_id, event)

    def _tell_gaps(self) -> Steps:
        """Those that a consumer found who did not live to tell them, or whose reply was lost."""
        noted = yield Command("hgetall", (self._keys.gaps(self._settings.group),))
        for name, last in noted.items():
            origin, _, first = name.decode().rpartition(" ")
            yield SequenceGap(origin, int(first), int(last))
            yield self._told(name)

    def _told(self, name: str | bytes) -> Command:
        return Command("hdel", (self._keys.gaps(self._settings.group), name))

    def _deliver(self, entry_id: str, event: Event) -> Steps:
        self._in_hand = entry_id
        done = yield Delivery(entry_id, event)
        self._in_hand = None
        if done:
            self._retry_at.pop(entry_id, None)
            yield self._ack(entry_id)
        elif done is not None:
            self._retry_at[entry_id] = self._monotonic() + self._settings.retry_after_s

    def _retry_due(self) -> Steps:
        for entry_id, due in list(self._retry_at.items()):
            if self._monotonic() >= due:
                del self._retry_at[entry_id]
                yield from self._take_pending(
                    consumer=self._settings.consumer, first=entry_id, last=entry_id, idle_s=0.0
                )

    def _take_pending(
        self, *, idle_s: float, consumer: str | None = None, first: str = "-", last: str = "+"
    ) -> Steps:
        """Try again what was given out and not acknowledged, or put it aside after its last try."""
        idle_ms = round(1e3 * idle_s)
        while True:
            options: dict[str, Any] = {"idle": idle_ms} if idle_ms else {}
            page = (first, last, self._settings.count, consumer)
            rows = yield Command("xpending_range", (*self._name, *page), options)
            for row in rows:
                entry_id = row["message_id"].decode()
                if entry_id not in self._retry_at:
                    yield from self._try_again(entry_id, int(row["times_delivered"]), idle_ms)
            if len(rows) < self._settings.count:
                return
            first = f"({rows[-1]['message_id'].decode()}"

    def _try_again(self, entry_id: str, tries: int, idle_ms: int) -> Steps:
        options = {"min_idle_time": idle_ms, "message_ids": [entry_id]}
        claim = Command("xclaim", (*self._name, self._settings.consumer), options)
        claimed = [(key, fields) for key, fields in (yield claim) if key is not None and fields]
        if not claimed:
            there = yield Command("xrange", (self._keys.stream, entry_id, entry_id))
            if not there:  # else another consumer was faster
                yield Trimmed(entry_id)
                yield self._ack(entry_id)
            return
        text = claimed[0][1].get(FIELD.encode())
        yield from self._hand_out(entry_id, text, tries)

    def _put_aside(self, entry_id: str, text: bytes, tries: int) -> Steps:
        target = self._keys.dead_letters(self._settings.group)
        fields = {FIELD: text, "entry_id": entry_id, "tries": str(tries)}
        yield Command("xadd", (target, fields), {"maxlen": 10_000, "approximate": True})
        yield self._ack(entry_id)
        yield DeadLetter(entry_id, target, tries)

    def _take_unanswered(self) -> Steps:
        """What the server gave to us in a reply that never came: given out once, not tried yet."""
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
                yield from self._hand_out(entry_id, fields.get(FIELD.encode()))

    def _hand_out(self, entry_id: str, text: bytes | None, tries: int = 0) -> Steps:
        event = read_entry(entry_id, text)
        if isinstance(event, BadEntry):
            yield event
            yield self._ack(entry_id)
        elif text is not None and tries >= self._settings.max_tries:
            yield from self._put_aside(entry_id, text, tries)
        elif self._wanted.matches(event):
            yield from self._deliver(entry_id, event)
        else:
            yield self._ack(entry_id)

    def _keep(self, entry_id: str) -> Asking:
        """Say that we still work on an entry; False if it is ours no longer."""
        consumer = self._settings.consumer
        rows = yield Command("xpending_range", (*self._name, entry_id, entry_id, 1, consumer))
        if rows:
            options = {"min_idle_time": 0, "message_ids": [entry_id], "justid": True}
            yield Command("xclaim", (*self._name, consumer), options)
        return bool(rows)

    def _ack(self, entry_id: str) -> Command:
        return Command("xack", (*self._name, entry_id))


def _wait(stream: str, after: str, block_s: float) -> Command:
    """Come back when there is something new, or after a while."""
    return Command("xread", ({stream: after},), {"count": 1, "block": round(1e3 * block_s)})
