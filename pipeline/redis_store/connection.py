"""A connection to Redis from a URL: one server, Sentinel or Cluster; errors without credentials."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import redis
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio import RedisCluster as AsyncRedisCluster
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import ExponentialWithJitterBackoff, NoBackoff
from redis.cluster import RedisCluster
from redis.exceptions import RedisClusterException
from redis.retry import Retry

from pipeline.errors import EventStoreError
from pipeline.printable import printable
from pipeline.redaction import mask_url
from pipeline.redis_store.sentinels import AsyncSentinelSet, MasterUnknownError, SentinelSet
from pipeline.redis_store.server_states import (
    advice_on,
    is_answer,
    is_final,
    is_permission,
    may_have_moved,
    state_of,
)
from pipeline.redis_store.url import RedisUrl, parse_redis_url

# What a client raises; the latter is no RedisError.
CLIENT_ERRORS = (redis.RedisError, RedisClusterException)

_LONGEST_TEXT = 300  # characters of a server's text that are shown


class NotPermittedError(EventStoreError):
    """The user in the URL lacks the permission to run a command."""


# redis-py types its replies as unions of the sync and the async form, hence Any.
Client = Any


def connect(url: str, *, socket_timeout_s: float, retries: int) -> Client:
    """Make a client; the first command connects.

    Args:
        url: see `parse_redis_url`.
        socket_timeout_s: longest silence of the server within one attempt, seconds.
        retries: further attempts after a lost connection or a timeout. A command that is sent twice
            may be executed twice: only for idempotent ones.

    Raises:
        EventStoreError: if `url` is none of these, or no node of a cluster answers.
    """
    retry = Retry(ExponentialWithJitterBackoff(cap=0.5, base=0.05), retries)
    kinds = _Kinds(redis.Redis, RedisCluster, SentinelSet, Retry(NoBackoff(), 0))
    return _connect(url, kinds, _options(socket_timeout_s) | {"retry": retry})


def connect_async(url: str, *, socket_timeout_s: float) -> Client:
    """Make a client for asyncio, without retries; see `connect`."""
    retry = AsyncRetry(NoBackoff(), 0)
    kinds = _Kinds(AsyncRedis, AsyncRedisCluster, AsyncSentinelSet, retry)
    return _connect(url, kinds, _options(socket_timeout_s) | {"retry": retry})


@dataclass(frozen=True, slots=True)
class _Kinds:
    """The client classes of redis-py: sync or async."""

    single: Any
    cluster: Any
    sentinel: Any
    no_retry: Any


def _options(socket_timeout_s: float) -> dict[str, Any]:
    return {
        "protocol": 2,  # one shape of replies on every server version
        "socket_timeout": socket_timeout_s,
        "socket_connect_timeout": socket_timeout_s,
    }


def _connect(url: str, kinds: _Kinds, options: dict[str, Any]) -> Client:
    try:
        parts = parse_redis_url(url)
    except ValueError as error:
        raise EventStoreError(f"not a Redis URL: {error}") from None
    own = {**parts.options, **parts.login}
    scheme = "rediss" if parts.tls else "redis"
    try:
        if parts.kind == "socket":
            return kinds.single.from_url("unix://", path=parts.path, db=parts.db, **own, **options)
        if parts.kind == "sentinel":
            return _by_sentinel(parts, kinds, own, options)
        ((host, port),) = parts.nodes
        place = f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{quote(host)}:{port}"
        if parts.kind == "cluster":
            return kinds.cluster.from_url(place, **own, **options)
        return kinds.single.from_url(place, db=parts.db, **own, **options)
    except CLIENT_ERRORS as error:  # a cluster is asked for its nodes
        raise EventStoreError(
            f"Redis at {mask_url(url)} does not answer: {mask_url(str(error))}"
        ) from None


def _by_sentinel(
    parts: RedisUrl, kinds: _Kinds, own: dict[str, Any], options: dict[str, Any]
) -> Client:
    tls = {"ssl": True} if parts.tls else {}
    tls_options = {name: value for name, value in own.items() if name.startswith("ssl_")}
    # One attempt each: while one sentinel is down the next is asked.
    asking = {**options, **tls, **tls_options, **parts.sentinel_login, "retry": kinds.no_retry}
    sentinels = kinds.sentinel(parts.nodes, sentinel_kwargs=asking)
    return sentinels.master_for(parts.service, db=parts.db, **tls, **own, **options)


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
    if isinstance(error, MasterUnknownError):
        return EventStoreError(f"Redis at {name}: {text}")
    if is_answer(error):
        state = state_of(error)
        text = text.removeprefix(f"{state} ")
        return EventStoreError(
            f"Redis at {name} cannot serve now ({state}): {text}{advice_on(error)}"
        )
    return EventStoreError(f"Redis at {name} does not answer: {text} ({_advice(text)})")


def _advice(text: str) -> str:
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return "its certificate is not trusted; ?ssl_ca_certs=FILE names who issued it"
    if "Permission denied" in text:
        return "its socket is for another user"
    return "is it running? --redis embedded starts one, --redis none runs without"


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
