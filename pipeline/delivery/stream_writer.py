"""The writing side of the stream: every event once and in order, whatever is sent twice.

The server itself remembers, per camera and run, the sequence number of the newest event on the
stream, and writes both in one script. So a repeated send is recognized however late it comes, and
a server that comes back without its last moments says itself from where to send again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.delivery.outbox import StoredEvent
from pipeline.events import SequenceGap
from pipeline.redaction import mask_url
from pipeline.redis_store.connection import NotPermittedError, connect, reporting
from pipeline.redis_store.names import StreamKeys

# How long the newest sequence number of a camera and run is remembered after it changed last.
REMEMBER_S = 30 * 86_400

# KEYS: stream, newest numbers, their ages. ARGV: MAXLEN or MINID, its value, now, forget before;
# then per event: origin, number before it, number, text. It stops in front of a gap: what lies
# between the newest number here and the one that the sender believes to be here is missing.
_APPEND = """
local added, known, i = 0, 0, 5
while i <= #ARGV do
  local origin, prev, seq = ARGV[i], tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])
  local newest = tonumber(redis.call('HGET', KEYS[2], origin) or '0')
  if seq <= newest then
    known = known + 1
  elseif prev > newest then
    return {added, known, origin, newest}
  else
    redis.call('XADD', KEYS[1], ARGV[1], '~', ARGV[2], '*', 'event', ARGV[i + 3])
    redis.call('HSET', KEYS[2], origin, seq)
    redis.call('ZADD', KEYS[3], ARGV[3], origin)
    added = added + 1
  end
  i = i + 4
end
for _, origin in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', ARGV[4], 'LIMIT', 0, 10)) do
  redis.call('ZREM', KEYS[3], origin)
  redis.call('HDEL', KEYS[2], origin)
end
return {added, known}
"""


@dataclass(frozen=True, slots=True)
class Trimming:
    """How the stream is kept from growing for ever, approximately; never less is kept."""

    maxlen: int
    max_age_s: float | None = None  # instead of a length

    def arguments(self, now: float) -> tuple[str, str]:
        """For XADD."""
        if self.max_age_s is None:
            return "MAXLEN", str(self.maxlen)
        return "MINID", str(max(0, round(1e3 * (now - self.max_age_s))))


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of a batch: its first `added + known` events are on the stream."""

    added: int
    known: int  # were there already
    gap: SequenceGap | None  # before the first event that was refused


class EventStream:
    """One stream on one server; use it from one thread.

    Args:
        url: see `connect`.
        stream: key of the stream.
        trimming: what is kept of it.
        socket_timeout_s: see `connect`; an unresponsive server is given up after about three times
            as long.

    Raises:
        EventStoreError: if `url` is no Redis URL.
    """

    def __init__(
        self, url: str, *, stream: str, trimming: Trimming, socket_timeout_s: float = 2.0
    ) -> None:
        self.name = mask_url(url)
        self._keys = StreamKeys(stream)
        self._trimming = trimming
        # Repeating is harmless here: see the module's text.
        self._client = connect(url, socket_timeout_s=socket_timeout_s, retries=2)

    def __enter__(self) -> EventStream:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def ping(self) -> None:
        """Make sure that the server is there and lets us in.

        Raises:
            EventStoreError: if it does not.
        """
        with reporting(self.name):
            self._client.ping()

    def append(self, events: Sequence[StoredEvent], now: float) -> Appended:
        """Append what is not there yet, in order, in one round trip, up to the first gap.

        Args:
            events: any cameras and runs, each one's in order.
            now: Unix seconds.

        Raises:
            EventStoreError: if the server refuses or stays away; some of the events may be there.
        """
        arguments: list[str] = [*self._trimming.arguments(now), str(now), str(now - REMEMBER_S)]
        for event in events:
            arguments += (event.origin, str(event.prev), str(event.seq), event.text)
        keys = (self._keys.stream, self._keys.newest, self._keys.newest_ages)
        with reporting(self.name):
            reply = self._client.eval(_APPEND, len(keys), *keys, *arguments)
        added, known, gap = int(reply[0]), int(reply[1]), None
        if len(reply) > 2:
            refused = events[added + known]
            gap = SequenceGap(reply[2].decode(), int(reply[3]) + 1, refused.seq - 1)
        return Appended(added, known, gap)

    def unsaved_bytes(self) -> int:
        """What a kill of the server would take now although it was acknowledged.

        0 where an ACL forbids asking.

        Raises:
            EventStoreError: if the server stays away.
        """
        try:
            with reporting(self.name):
                persistence = _of_any_node(self._client.info("persistence"))
        except NotPermittedError:
            return 0
        return int(persistence.get("aof_buffer_length", 0))

    def set_camera(self, camera_id: str, fields: Mapping[str, str], ttl_s: float) -> None:
        """Say how a camera is; what is not said again for `ttl_s` vanishes.

        Raises:
            EventStoreError: if the server refuses or stays away.
        """
        key = self._keys.camera(camera_id)
        with reporting(self.name):
            pipeline = self._client.pipeline(transaction=True)
            pipeline.delete(key)
            pipeline.hset(key, mapping=dict(fields))
            pipeline.pexpire(key, round(1e3 * ttl_s))
            pipeline.execute()

    def warnings(self) -> list[str]:
        """What of the server's settings may lose events; empty if an ACL forbids asking.

        Raises:
            EventStoreError: if the server stays away.
        """
        try:
            with reporting(self.name):
                memory = _of_any_node(self._client.info("memory"))
                persistence = _of_any_node(self._client.info("persistence"))
                saves = self._client.config_get("save").get("save", "")
        except NotPermittedError:  # that is no trouble
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
    """A cluster answers per node; the nodes of one cluster are configured alike."""
    first = next(iter(reply.values()), None)
    return first if isinstance(first, dict) else dict(reply)
