"""The event stream on Redis: append each event once, read them back; the only import of redis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from pipeline.errors import EventStoreError
from pipeline.events import ActionEvent, EventError, decode_event, encode_event
from pipeline.redaction import mask_url

FIELD = "event"  # the one field of a stream entry
BEGINNING = "0-0"  # the id before every entry

# A call whose reply was lost is sent again although the server may have done it. The marker named
# after the event makes the second time a no-op; it holds the entry id, so both return the same.
_APPEND_ONCE = """
local known = redis.call('GET', KEYS[2])
if known then return known end
local entry_id = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', ARGV[2], ARGV[3])
redis.call('SET', KEYS[2], entry_id, 'EX', ARGV[4])
return entry_id
"""


class RedisEventStore:
    """One stream of events on one server. Use it from one thread; close it or use `with`."""

    def __init__(
        self,
        url: str,
        *,
        stream: str,
        maxlen: int,
        socket_timeout_s: float = 2.0,
        retries: int = 2,
        once_only_s: int = 600,
    ) -> None:
        """Open nothing yet; `ping` does.

        Args:
            url: `redis://[user:password@]host:port/db`, `rediss://` or `unix://`.
            stream: key of the stream.
            maxlen: the stream keeps about this many newest entries, never fewer.
            socket_timeout_s: longest silence of the server within one attempt. An unresponsive
                server is given up after about `(retries + 1) * socket_timeout_s`.
            retries: further attempts after a lost connection or a timeout.
            once_only_s: how long a repeated event is recognized as such.

        Raises:
            EventStoreError: if `url` is not a Redis URL.
        """
        self.name = mask_url(url)
        self._stream = stream
        self._maxlen = maxlen
        self._once_only_s = once_only_s
        self._client = _new_client(url, socket_timeout_s=socket_timeout_s, retries=retries)

    def __enter__(self) -> RedisEventStore:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back; nothing is buffered here."""
        self._client.close()

    def ping(self) -> None:
        """Make sure that the server is there and lets us in.

        Raises:
            EventStoreError: if it does not, after the time that `socket_timeout_s` describes.
        """
        with _reporting(self.name):
            self._client.ping()

    def publish(self, events: Sequence[ActionEvent]) -> list[str]:
        """Append the events in order, in one round trip; an event already there is not repeated.

        Returns:
            The entry id of each event.

        Raises:
            EventStoreError: if the server refuses or stays away; some events may be there then,
                and publishing the same ones again completes them.
        """
        if not events:
            return []
        # Not a transaction: each event is atomic on its own, and a retry completes the rest.
        pipeline = self._client.pipeline(transaction=False)
        for event in events:
            marker = f"{self._stream}:sent:{event.event_id}"
            entry = (FIELD, encode_event(event))
            pipeline.eval(
                _APPEND_ONCE, 2, self._stream, marker, self._maxlen, *entry, self._once_only_s
            )
        with _reporting(self.name):
            return [entry_id.decode() for entry_id in pipeline.execute()]

    def last_id(self) -> str:
        """Id of the newest entry, `0-0` where the stream is empty."""
        with _reporting(self.name):
            newest: Any = self._client.xrevrange(self._stream, count=1)
        return newest[0][0].decode() if newest else BEGINNING

    def read_after(
        self, entry_id: str, *, limit: int = 100, block_s: float = 0.0
    ) -> list[tuple[str, ActionEvent | EventError]]:
        """Read the entries that follow an id, oldest first.

        Args:
            entry_id: a full entry id; see `last_id` and `BEGINNING`.
            limit: most entries returned.
            block_s: wait this long for a first entry; must be below the socket timeout. 0 does
                not wait.

        Returns:
            Pairs of entry id and event; for an entry that is no event, what is wrong with it.

        Raises:
            EventStoreError: if the server stays away, or `entry_id` is no id.
        """
        block_ms = round(block_s * 1000) or None
        with _reporting(self.name):
            # Typed for sync and async clients alike; protocol 2 gives [[stream, entries]].
            reply: Any = self._client.xread({self._stream: entry_id}, count=limit, block=block_ms)
        entries = reply[0][1] if reply else []
        return [(key.decode(), _decode(fields)) for key, fields in entries]


def ready_run_id(url: str, directory: Path, *, timeout_s: float = 1.0) -> str | None:
    """The random id that a ready server with its data in `directory` drew when it started.

    None where nothing answers, something else answers, or the server still loads its data.
    """
    client = _new_client(url, socket_timeout_s=timeout_s, retries=0)
    try:
        client.ping()  # refused while loading
        config: Any = client.config_get("dir")
        if not Path(config["dir"]).samefile(directory):
            return None
        server: Any = client.info("server")
        return str(server["run_id"])
    except (redis.RedisError, OSError, KeyError, UnicodeDecodeError):
        return None  # whatever it is, it is not the server we ask for
    finally:
        client.close()


def shut_down(url: str, run_id: str, *, timeout_s: float = 5.0) -> None:
    """Stop the server of that run id; it syncs its append-only file first.

    Raises:
        EventStoreError: if another server answers there, or none.
    """
    client = _new_client(url, socket_timeout_s=timeout_s, retries=0)
    try:
        with _reporting(url):
            server: Any = client.info("server")
            if server["run_id"] != run_id:
                raise EventStoreError(f"the server at {url} is not the one that was started")
            client.shutdown()
    finally:
        client.close()


def _new_client(url: str, *, socket_timeout_s: float, retries: int) -> redis.Redis:
    try:
        return redis.Redis.from_url(
            url,
            protocol=2,  # one shape of replies on every server version
            socket_timeout=socket_timeout_s,
            socket_connect_timeout=socket_timeout_s,
            retry=Retry(ExponentialBackoff(cap=0.5, base=0.05), retries),
        )
    except ValueError:
        # Not chained: the parser's message quotes pieces of the password.
        raise EventStoreError(
            f"not a Redis URL: {mask_url(url)} (expected redis://[user:password@]host:port/db; "
            "write @ : / ? # % in a password as %40 %3A %2F %3F %23 %25)"
        ) from None


def _decode(fields: dict[bytes, bytes] | None) -> ActionEvent | EventError:
    text = (fields or {}).get(FIELD.encode())
    if text is None:
        return EventError(f"an entry without the field {FIELD!r}")
    try:
        return decode_event(text)
    except EventError as error:
        return error


@contextmanager
def _reporting(name: str) -> Iterator[None]:
    """Say which server it was, in our own error."""
    try:
        yield
    except redis.AuthenticationError as error:
        raise EventStoreError(f"Redis at {name} refuses user or password: {error}") from error
    except (redis.ConnectionError, redis.TimeoutError) as error:
        raise EventStoreError(
            f"Redis at {name} does not answer: {mask_url(str(error))} "
            "(is it running? --redis embedded starts one, --redis none goes without)"
        ) from error
    except redis.RedisError as error:
        raise EventStoreError(f"Redis at {name} refuses: {mask_url(str(error))}") from error
