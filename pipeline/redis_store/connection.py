"""A connection to Redis from a URL: one server, Sentinel or Cluster; errors without credentials."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

import redis
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio import RedisCluster as AsyncRedisCluster
from redis.asyncio.retry import Retry as AsyncRetry
from redis.asyncio.sentinel import Sentinel as AsyncSentinel
from redis.backoff import ExponentialWithJitterBackoff, NoBackoff
from redis.cluster import RedisCluster
from redis.exceptions import RedisClusterException
from redis.retry import Retry
from redis.sentinel import Sentinel

from pipeline.errors import EventStoreError
from pipeline.printable import printable
from pipeline.redaction import mask_url
from pipeline.redis_store.names import CLUSTER, SENTINEL
from pipeline.redis_store.server_states import (
    advice_on,
    is_answer,
    is_final,
    is_permission,
    may_have_moved,
    state_of,
)

# What a client raises; the latter is no RedisError.
CLIENT_ERRORS = (redis.RedisError, RedisClusterException)

_SENTINEL_PORT = 26379
_LONGEST_TEXT = 300  # characters of a server's text that are shown


class NotPermittedError(EventStoreError):
    """The user in the URL lacks the permission to run a command."""


# redis-py types its replies as unions of the sync and the async form, hence Any.
Client = Any


def connect(url: str, *, socket_timeout_s: float, retries: int) -> Client:
    """Make a client; the first command connects.

    Args:
        url: `redis://[user:password@]host:port/db`, `rediss://` for TLS and `unix://`, with the
            query options of redis-py; `redis+cluster://host:port`; or
            `redis+sentinel://[user:password@]host[:port],host[:port].../SERVICE[/db]`.
        socket_timeout_s: longest silence of the server within one attempt, seconds.
        retries: further attempts after a lost connection or a timeout. A command that is sent twice
            may be executed twice: only for idempotent ones.

    Raises:
        EventStoreError: if `url` is none of these, or no node of a cluster answers.
    """
    retry = Retry(ExponentialWithJitterBackoff(cap=0.5, base=0.05), retries)
    kinds = _Kinds(redis.Redis, RedisCluster, Sentinel)
    return _connect(url, kinds, _options(socket_timeout_s) | {"retry": retry})


def connect_async(url: str, *, socket_timeout_s: float) -> Client:
    """Make a client for asyncio, without retries; see `connect`."""
    retry = AsyncRetry(NoBackoff(), 0)
    kinds = _Kinds(AsyncRedis, AsyncRedisCluster, AsyncSentinel)
    return _connect(url, kinds, _options(socket_timeout_s) | {"retry": retry})


@dataclass(frozen=True, slots=True)
class _Kinds:
    """The client classes of redis-py: sync or async."""

    single: Any
    cluster: Any
    sentinel: Any


def _options(socket_timeout_s: float) -> dict[str, Any]:
    return {
        "protocol": 2,  # one shape of replies on every server version
        "socket_timeout": socket_timeout_s,
        "socket_connect_timeout": socket_timeout_s,
    }


def _connect(url: str, kinds: _Kinds, options: dict[str, Any]) -> Client:
    try:
        if url.startswith(SENTINEL):
            return _by_sentinel(url, kinds.sentinel, options)
        if url.startswith(CLUSTER):
            return kinds.cluster.from_url(f"redis://{url.removeprefix(CLUSTER)}", **options)
        return kinds.single.from_url(url, **options)
    except ValueError:
        # Not chained: the parser's message quotes pieces of the password.
        raise EventStoreError(
            f"not a Redis URL: {mask_url(url)} (expected redis://[user:password@]host:port/db; "
            "write @ : / ? # % in a password as %40 %3A %2F %3F %23 %25)"
        ) from None
    except CLIENT_ERRORS as error:  # a cluster is asked for its nodes
        raise EventStoreError(
            f"Redis at {mask_url(url)} does not answer: {mask_url(str(error))}"
        ) from None


def _by_sentinel(url: str, sentinel: Any, options: dict[str, Any]) -> Client:
    parts = urlsplit(url)
    userinfo, _, hosts = parts.netloc.rpartition("@")
    user, _, password = userinfo.partition(":")
    service, _, db = parts.path.strip("/").partition("/")
    if not service:
        raise ValueError("a Sentinel URL names its service")
    nodes = [_host_and_port(node) for node in hosts.split(",")]
    login = {"username": unquote(user) or None, "password": unquote(password) or None}
    return sentinel(nodes, **options, **login, db=int(db or 0)).master_for(service)


def _host_and_port(node: str) -> tuple[str, int]:
    host, _, port = node.partition(":")
    if not host:
        raise ValueError("a Sentinel URL names its hosts")
    return host, int(port or _SENTINEL_PORT)


def explained(error: Exception, name: str) -> EventStoreError:
    """Translate an error of redis-py for a user: which server, and what to do.

    Args:
        error: of redis-py.
        name: of the server, without credentials.
    """
    text = printable(mask_url(str(error)), _LONGEST_TEXT)
    if isinstance(error, redis.AuthenticationError) and is_final(error):
        return EventStoreError(f"Redis at {name} refuses user or password: {text}")
    if is_permission(error):
        return NotPermittedError(f"Redis at {name} refuses: {text}")
    if is_final(error):
        return EventStoreError(f"Redis at {name} refuses: {text}")
    if is_answer(error):
        return EventStoreError(
            f"Redis at {name} cannot serve now ({state_of(error)}): {text}{advice_on(error)}"
        )
    return EventStoreError(
        f"Redis at {name} does not answer: {text} "
        "(is it running? --redis embedded starts one, --redis none runs without)"
    )


def drop_connections(client: Client) -> Any:
    """Close the connections of a client; the next command opens one, to whom the name leads then.

    Returns:
        What to await, of a client for asyncio.
    """
    pool = getattr(client, "connection_pool", None)  # a cluster's client does it by itself
    return None if pool is None else pool.disconnect()


@contextmanager
def reporting(name: str, client: Client = None) -> Iterator[None]:
    """Raise errors of redis-py inside the block as EventStoreError; see `explained`.

    Args:
        name: of the server, without credentials.
        client: connects again where the server may no longer be the one of that name.
    """
    try:
        yield
    except CLIENT_ERRORS as error:
        if may_have_moved(error):
            drop_connections(client)
        raise explained(error, name) from error
