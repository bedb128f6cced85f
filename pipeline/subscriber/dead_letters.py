"""The events that groups failed to handle too often: list them, put them back, drop them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

from pipeline.errors import EventStoreError
from pipeline.events import Event
from pipeline.redaction import mask_url
from pipeline.redis_store.connection import connect, reporting
from pipeline.redis_store.names import FIELD, ONLY_FIELD, StreamKeys
from pipeline.subscriber.protocol import read_entry
from pipeline.subscriber.reports import BadEntry

_PAGE = 100  # letters per command
_SOCKET_TIMEOUT_S = 5.0

# Put a letter back on the stream for its group alone; one script, so that none is put back twice.
# KEYS: stream, dead letters. ARGV: id of the letter, group.
_REPLAY = f"""
local rows = redis.call('XRANGE', KEYS[2], ARGV[1], ARGV[1])
if #rows == 0 then return 0 end
for i = 1, #rows[1][2], 2 do
  if rows[1][2][i] == '{FIELD}' then
    redis.call('XADD', KEYS[1], '*', '{FIELD}', rows[1][2][i + 1], '{ONLY_FIELD}', ARGV[2])
  end
end
redis.call('XDEL', KEYS[2], ARGV[1])
return 1
"""


@dataclass(frozen=True, slots=True)
class StoredLetter:
    """One event that a group dead-lettered."""

    letter_id: str  # of the entry on the stream of dead letters; it begins with the time, Unix ms
    group: str
    tries: int
    event: Event | BadEntry
    reason: str | None  # of the last try; None: the consumer died of it, or was an older version


class DeadLetters:
    """The dead letters of one stream; use it from one thread, and as a context.

    Args:
        url: of the Redis server, see `redis_store.connection.connect`.
        stream: key of the stream whose groups gave the events up.

    Raises:
        EventStoreError: if `url` is no Redis URL; of every method, if the server does not answer or
            refuses.
    """

    def __init__(self, url: str, stream: str) -> None:
        self.name = mask_url(url)
        self._keys = StreamKeys(stream)
        self._reading: frozenset[str] = frozenset()  # groups, when the first letter was put back
        self._client = connect(url, socket_timeout_s=_SOCKET_TIMEOUT_S, retries=2)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._client.close()

    def groups(self) -> list[str]:
        """Return the names of the groups that read the stream."""
        with reporting(self.name):
            if not self._client.exists(self._keys.stream):
                return []
            rows = self._client.xinfo_groups(self._keys.stream)
        return sorted(row["name"].decode(errors="replace") for row in rows)

    def letters(self, group: str, limit: int | None = None) -> Iterator[StoredLetter]:
        """Yield the letters of a group, oldest first.

        Args:
            group: name of the group.
            limit: yield so many at most; None: all.
        """
        after = "-"
        while limit is None or limit > 0:
            count = _PAGE if limit is None else min(_PAGE, limit)
            with reporting(self.name):
                key = self._keys.dead_letters(group)
                rows: Sequence[Any] = self._client.xrange(key, after, "+", count)
            for raw_id, fields in rows:
                yield _letter(raw_id.decode(), group, fields)
            if len(rows) < count:
                return
            after = f"({rows[-1][0].decode()}"
            limit = None if limit is None else limit - len(rows)

    def replay(self, letter: StoredLetter) -> bool:
        """Put a letter back: its group gets the event again, and no other reader does.

        Returns:
            False if another command put it back or dropped it meanwhile.

        Raises:
            EventStoreError: if no such group reads the stream.
        """
        self._reading = self._reading or frozenset(self.groups())
        if letter.group not in self._reading:
            raise EventStoreError(
                f"no group {letter.group!r} reads the stream {self._keys.stream}: "
                "start its consumer once, then replay"
            )
        keys = (self._keys.stream, self._keys.dead_letters(letter.group))
        with reporting(self.name):
            return bool(self._client.eval(_REPLAY, 2, *keys, letter.letter_id, letter.group))

    def drop(self, letter: StoredLetter) -> bool:
        """Delete a letter for good.

        Returns:
            False if another command put it back or dropped it meanwhile.
        """
        with reporting(self.name):
            key = self._keys.dead_letters(letter.group)
            return bool(self._client.xdel(key, letter.letter_id))


def _letter(letter_id: str, group: str, fields: dict[bytes, bytes]) -> StoredLetter:
    tries = fields.get(b"tries", b"")
    event = read_entry(letter_id, fields.get(FIELD.encode()))
    reason = fields.get(b"reason")
    return StoredLetter(
        letter_id,
        group,
        int(tries[:9]) if tries.isdigit() else 0,
        event,
        None if reason is None else reason.decode(errors="replace"),
    )
