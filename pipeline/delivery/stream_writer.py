"""The writing side of the stream: every event once and in order, even if it is sent twice.

The server stores, per camera and run, the sequence number of the newest event on the stream, and
one script writes both. So a repeated send is recognized however late it comes, and the numbers of
a server that came back without its newest events show from where to send again.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.delivery.storage.outbox_file import StoredEvent
from pipeline.events import Event, EventError, SequenceGap, decode_event
from pipeline.redaction import mask_url
from pipeline.redis_store.connection import NotPermittedError, connect, reporting
from pipeline.redis_store.names import FIELD, StreamKeys

# Seconds for which the newest sequence number of a camera and run is stored after its last change.
REMEMBER_S = 30 * 86_400

_SCAN_PAGE, _SCAN_ENTRIES = 1000, 200_000  # of the stream, from its end, for what a sender lost

# KEYS: stream, newest numbers, their ages, digests of the newest events. ARGV: MAXLEN or MINID,
# entries or milliseconds, milliseconds to remember; then per event: origin, number before it,
# number, digest, text. It stops before a gap: the sender believes the number before an event to be
# on the stream, and the newest one there is lower. Ages are measured by the server's clock alone:
# the clocks of the senders may differ by days.
_APPEND = """
local time, now = redis.pcall('TIME'), 0
if time.err then  -- an ACL without +time: the newest entry shows the clock, or less
  local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
  if newest[1] then now = tonumber(string.match(newest[1][1], '^%d+')) end
else
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local limit = ARGV[2]
if ARGV[1] == 'MINID' then limit = string.format('%.0f', math.max(0, now - ARGV[2])) end
local added, known, differing, i = 0, 0, {}, 4
while i <= #ARGV do
  local origin, prev, seq = ARGV[i], tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])
  local digest = ARGV[i + 2] .. ':' .. ARGV[i + 3]
  local newest = tonumber(redis.call('HGET', KEYS[2], origin) or '0')
  if seq <= newest then
    if seq == newest then
      local kept = redis.call('HGET', KEYS[4], origin)
      if kept and kept ~= digest and string.match(kept, '^%d+') == ARGV[i + 2] then
        differing[#differing + 1] = added + known
      end
    end
    known = known + 1
  elseif prev > newest then
    return {added, known, differing, origin, newest}
  else
    redis.call('XADD', KEYS[1], ARGV[1], '~', limit, '*', 'event', ARGV[i + 4])
    redis.call('HSET', KEYS[2], origin, seq)
    redis.call('HSET', KEYS[4], origin, digest)
    redis.call('ZADD', KEYS[3], string.format('%.0f', now / 1000), origin)
    added = added + 1
  end
  i = i + 5
end
local before = string.format('%.0f', (now - ARGV[3]) / 1000)
for _, origin in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', before, 'LIMIT', 0, 10)) do
  redis.call('ZREM', KEYS[3], origin)
  redis.call('HDEL', KEYS[2], origin)
  redis.call('HDEL', KEYS[4], origin)
end
return {added, known, differing}
"""


@dataclass(frozen=True, slots=True)
class Trimming:
    """Limit of the stream's length or age; approximate, never less is kept."""

    maxlen: int
    max_age_s: float | None = None  # seconds; replaces the length

    def arguments(self) -> tuple[str, str]:
        """Return the strategy of XADD and its limit: entries, or an age in milliseconds."""
        if self.max_age_s is None:
            return "MAXLEN", str(self.maxlen)
        return "MINID", str(round(1e3 * self.max_age_s))


@dataclass(frozen=True, slots=True)
class Appended:
    """Outcome of a batch: its first `added + known` events are on the stream."""

    added: int
    known: int  # were on the stream already
    gap: SequenceGap | None  # before the first event that was refused
    differing: tuple[int, ...] = ()  # of the batch: their numbers are on the stream, not their text


class EventStream:
    """One stream on one server; use it from one thread.

    Args:
        url: see `connect`.
        stream: key of the stream.
        trimming: limit of its length or age.
        socket_timeout_s: see `connect`; a command to an unresponsive server fails after about three
            times as long, seconds.

    Raises:
        EventStoreError: if `url` is no Redis URL.
    """

    def __init__(
        self, url: str, *, stream: str, trimming: Trimming, socket_timeout_s: float = 2.0
    ) -> None:
        self.name = mask_url(url)
        self._keys = StreamKeys(stream)
        self._trimming = trimming
        # The commands are idempotent, see the docstring of the module.
        self._client = connect(url, socket_timeout_s=socket_timeout_s, retries=2)

    def __enter__(self) -> EventStream:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def ping(self) -> None:
        """Check that the server answers and accepts the user.

        Raises:
            EventStoreError: if it does not.
        """
        with reporting(self.name):
            self._client.ping()

    def append(self, events: Sequence[StoredEvent]) -> Appended:
        """Append the events that are not on the stream, in one round trip, up to the first gap.

        Args:
            events: of any cameras and runs, those of each in order.

        Raises:
            EventStoreError: if the server refuses or does not answer; a part may be appended.
        """
        arguments: list[str] = [*self._trimming.arguments(), str(1000 * REMEMBER_S)]
        for event in events:
            digest = hashlib.blake2b(event.text.encode(), digest_size=8).hexdigest()
            arguments += (event.origin, str(event.prev), str(event.seq), digest, event.text)
        names = self._keys
        keys = (names.stream, names.newest, names.newest_ages, names.newest_digests)
        with reporting(self.name, self._client):
            reply = self._client.eval(_APPEND, len(keys), *keys, *arguments)
        added, known, gap = int(reply[0]), int(reply[1]), None
        if len(reply) > 3:
            refused = events[added + known]
            gap = SequenceGap(reply[3].decode(), int(reply[4]) + 1, refused.seq - 1)
        return Appended(added, known, gap, tuple(map(int, reply[2])))

    def newest_of_run(self, run_id: str) -> dict[str, int]:
        """Return, per camera, the newest number of a run that the server knows, by `RUN/CAMERA`.

        Raises:
            EventStoreError: if the server does not answer or refuses.
        """
        pattern = re.sub(r"([\\*?\[\]])", r"\\\1", run_id) + "/*"
        with reporting(self.name):
            found = dict(self._client.hscan_iter(self._keys.newest, match=pattern, count=1000))
        return {origin.decode(): int(seq) for origin, seq in found.items()}

    def events_behind(self, origin: str, seq: int, newest_seq: int) -> list[Event]:
        """Return the events of a camera and run with numbers from `seq + 1` to `newest_seq`.

        The stream is read backwards from its end, and no further than 200,000 entries: what was
        trimmed, or lies deeper, is not in the list.

        Raises:
            EventStoreError: if the server does not answer or refuses.
        """
        found: dict[int, Event] = {}
        end = "+"
        for _ in range(0, _SCAN_ENTRIES, _SCAN_PAGE):
            with reporting(self.name):
                page = self._client.xrevrange(self._keys.stream, end, "-", count=_SCAN_PAGE)
            for _, fields in page:
                event = _event_of(fields.get(FIELD.encode(), b""), origin)
                if event is not None and seq < event.seq <= newest_seq:
                    found[event.seq] = event
            if len(page) < _SCAN_PAGE or len(found) == newest_seq - seq:
                break
            end = f"({page[-1][0].decode()}"
        return [found[number] for number in sorted(found)]

    def unsaved_bytes(self) -> int:
        """Return the acknowledged bytes that a kill of the server would lose now.

        Returns:
            Bytes that are not in the append-only file yet; 0 where an ACL forbids the question.

        Raises:
            EventStoreError: if the server does not answer.
        """
        try:
            with reporting(self.name):
                persistence = _of_any_node(self._client.info("persistence"))
        except NotPermittedError:
            return 0
        return int(persistence.get("aof_buffer_length", 0))

    def set_camera(self, camera_id: str, fields: Mapping[str, str], ttl_s: float) -> None:
        """Set the state of a camera; it expires unless it is set again within `ttl_s` seconds.

        Raises:
            EventStoreError: if the server refuses or does not answer.
        """
        key = self._keys.camera(camera_id)
        with reporting(self.name):
            pipeline = self._client.pipeline(transaction=True)
            pipeline.delete(key)
            pipeline.hset(key, mapping=dict(fields))
            pipeline.pexpire(key, round(1e3 * ttl_s))
            pipeline.execute()

    def warnings(self) -> list[str]:
        """Return what in the settings of the server may lose events.

        Returns:
            One text per setting; none where an ACL forbids the question.

        Raises:
            EventStoreError: if the server does not answer.
        """
        try:
            with reporting(self.name):
                memory = _of_any_node(self._client.info("memory"))
                persistence = _of_any_node(self._client.info("persistence"))
                saves = self._client.config_get("save").get("save", "")
        except NotPermittedError:  # an ACL may forbid it
            return []
        found = []
        policy = str(memory.get("maxmemory_policy", "noeviction"))
        if int(memory.get("maxmemory", 0)) and policy != "noeviction":
            found.append(
                f"Redis at {self.name} may evict the stream when its memory is full "
                f"(maxmemory-policy {policy}); set noeviction"
            )
        if not int(persistence.get("aof_enabled", 0)):
            how = "writes snapshots only" if saves else "keeps nothing on disk"
            found.append(
                f"Redis at {self.name} {how}: a restart of it loses events; set appendonly yes"
            )
        return found


def _of_any_node(reply: Any) -> dict[str, Any]:
    """Return one reply of a cluster, which has one per node; they are configured alike."""
    first = next(iter(reply.values()), None)
    return first if isinstance(first, dict) else dict(reply)


def _event_of(text: bytes, origin: str) -> Event | None:
    """Decode an entry if it may be of a camera and run; other programs may add anything."""
    run_id = origin.partition("/")[0]
    if json.dumps(run_id).encode() not in text:
        return None
    try:
        event = decode_event(text)
    except EventError:
        return None
    return event if event.origin == origin else None
