"""Real sentinels with passwords and IPv6: the master is found, or the reason is reported."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis

from pipeline.errors import EventStoreError
from pipeline.redis_store.connection import connect, connect_async, explained
from pipeline.redis_store.sentinels import MasterUnknownError
from testbed.redis_server import redis_server

MASTER, SENTINEL = "master%20pw%23", "hunter2"


@dataclass(frozen=True)
class Site:
    port: int  # of the sentinel

    def url(self, hosts: str, *, login: str = f":{MASTER}@", tail: str = "alarms/3") -> str:
        return f"redis+sentinel://{login}{hosts.replace('PORT', str(self.port))}/{tail}"


@pytest.fixture(scope="module")
def site(redis_program: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("sentinel")
    with redis_server(folder / "master", "--requirepass", "master pw#") as master:
        config = folder / "sentinel.conf"
        config.write_text(
            f"requirepass {SENTINEL}\n"
            f"sentinel monitor alarms 127.0.0.1 {urlsplit(master).port} 1\n"
            'sentinel auth-pass alarms "master pw#"\n'
        )
        hosts = ["127.0.0.1", "::1"] if has_ipv6() else ["127.0.0.1"]
        options = [str(config), "--sentinel", "--bind", *hosts]
        with redis_server(folder / "sentinel", *options) as sentinel:
            yield Site(urlsplit(sentinel).port or 0)


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def reached(url: str) -> int:
    """The database that both clients are connected to."""
    with connect(url, socket_timeout_s=30, retries=0) as client:
        client.ping()
        found = int(client.client_info()["db"])

    async def twin() -> int:
        async with connect_async(url, socket_timeout_s=30) as other:
            return int((await other.client_info())["db"])

    assert asyncio.run(twin()) == found
    return found


def refused(url: str) -> redis.RedisError:
    """The error of both clients."""
    with (
        connect(url, socket_timeout_s=30, retries=0) as client,
        pytest.raises(redis.RedisError) as failure,
    ):
        client.ping()

    async def twin() -> None:
        async with connect_async(url, socket_timeout_s=30) as other:
            await other.ping()

    with pytest.raises(redis.RedisError) as other_failure:
        asyncio.run(twin())
    assert type(other_failure.value) is type(failure.value)
    for error in (failure.value, other_failure.value):
        message = str(explained(error, "NAME"))
        assert "object at" not in message
        assert "\n" not in message
        assert SENTINEL not in message
        assert "master pw" not in message
    return failure.value


def test_passwords_of_sentinels_and_of_the_server_are_two(site: Site) -> None:
    assert reached(site.url("127.0.0.1:PORT", tail=f"alarms/3?sentinel_password={SENTINEL}")) == 3


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")
def test_an_ipv6_sentinel_behind_one_that_is_not_there(site: Site) -> None:
    tail = f"alarms?sentinel_password={SENTINEL}&client_name=gate"
    assert reached(site.url("127.0.0.1:1,[::1]:PORT", tail=tail)) == 0


@pytest.mark.parametrize("query", ["", "?sentinel_password=wrong"])
def test_sentinels_that_refuse_the_password_are_a_refusal(site: Site, query: str) -> None:
    error = refused(site.url("127.0.0.1:PORT", tail=f"alarms{query}"))
    assert isinstance(error, redis.AuthenticationError)  # final, for a subscriber
    message = str(explained(error, "NAME"))
    assert f"127.0.0.1 port {site.port}" in message
    assert "the sentinels' own password is ?sentinel_password=..." in message


def test_a_server_that_refuses_the_password_is_not_a_sentinel(site: Site) -> None:
    tail = f"alarms?sentinel_password={SENTINEL}"
    error = refused(site.url("127.0.0.1:PORT", login=":wrong@", tail=tail))
    assert isinstance(error, redis.AuthenticationError)
    assert "sentinel" not in str(explained(error, "NAME"))


def test_each_sentinel_s_reason_is_said(site: Site) -> None:
    tail = f"other?sentinel_password={SENTINEL}"
    error = refused(site.url("127.0.0.1:1,127.0.0.1:PORT", tail=tail))
    assert isinstance(error, MasterUnknownError)
    message = str(explained(error, "NAME"))
    assert message.startswith("Redis at NAME: no sentinel names the master of 'other': ")
    assert "127.0.0.1 port 1: Error 111" in message
    assert f"127.0.0.1 port {site.port} does not know it" in message


def test_a_service_without_a_name_is_no_url() -> None:
    with pytest.raises(EventStoreError, match="names no SERVICE"):
        connect("redis+sentinel://me:hunter2@host", socket_timeout_s=1, retries=0)


def test_a_master_that_the_sentinel_takes_for_down(tmp_path: Path, redis_program: None) -> None:
    config = tmp_path / "sentinel.conf"
    config.write_text(
        "sentinel monitor alarms 127.0.0.1 1 1\nsentinel down-after-milliseconds alarms 1\n"
    )
    with redis_server(tmp_path / "sentinel", str(config), "--sentinel") as sentinel:
        url = f"redis+sentinel://{urlsplit(sentinel).netloc}/alarms"
        with redis.Redis.from_url(sentinel, protocol=2) as client:
            while "down" not in client.sentinel_masters()["alarms"]["flags"]:
                pass
        assert "takes it for down" in str(refused(url))
