"""The writing side of the stream: every event once and in order, even if it is sent twice.

The server stores, per camera and run, the sequence number of the newest event on the stream, and
one script writes both. So a repeated send is recognized however late it comes, and the numbers of
a server that came back without its newest events show from where to send again.
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

# Seconds for which the newest sequence number of a camera and run is stored after its last change.
REMEMBER_S = 30 * 86_400

# KEYS: stream, newest numbers, their ages. ARGV: MAXLEN or MINID, its value, now, forget before;
# then per event: origin, number before it, number, text. It stops before a gap: the sender believes
# the number before an event to be on the stream, and the newest one there is lower.
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
    """Limit of the stream's length or age; approximate, never less is kept."""

    maxlen: int
    max_age_s: float | None = None  # seconds; replaces the length

    def arguments(self, now: float) -> tuple[str, str]:
        """Return strategy and threshold as XADD takes them; `now` in Unix seconds."""
        if self.max_age_s is None:
            return "MAXLEN", str(self.maxlen)
        return "MINID", str(max(0, round(1e3 * (now - self.max_age_s))))


@dataclass(frozen=True, slots=True)
class Appended:
    """Outcome of a batch: its first `added + known` events are on the stream."""

    added: int
    known: int  # were on the stream already
    gap: SequenceGap | None  # before the first event that was refused


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

    def append(self, events: Sequence[StoredEvent], now: float) -> Appended:
        """Append the events that are not on the stream, in one round trip, up to the first gap.

        Args:
            events: of any cameras and runs, those of each in order.
            now: Unix seconds.

        Raises:
            EventStoreError: if the server refuses or does not answer; a part may be appended.
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
