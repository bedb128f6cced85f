"""URLs become clients; what is no URL is refused without its password."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.asyncio import Redis as AsyncRedis
from redis.sentinel import SentinelConnectionPool

from pipeline.errors import EventStoreError
from pipeline.redis_store.connection import connect, connect_async, reporting
from testbed.certificates import make_certificate
from testbed.free_port import free_port
from testbed.redis_server import redis_server


@pytest.mark.parametrize(
    "url",
    [
        "http://host",
        "host:6379",
        "redis://user:hun/ter2@host/0",
        "redis://user:h@host:nan/0",
        "redis+sentinel://user:hunter2@host",
        "redis+sentinel://user:hunter2@host:nan/service",
        "redis+sentinel://user:hunter2@/service",
    ],
)
def test_a_url_that_is_none_is_an_error_without_its_password(url: str) -> None:
    for refused in (lambda: connect(url, socket_timeout_s=1, retries=0), None):
        with pytest.raises(EventStoreError, match="not a Redis URL") as failure:
            refused() if refused else connect_async(url, socket_timeout_s=1)
        assert "hun" not in str(failure.value)
        assert failure.value.__cause__ is None


def test_sentinels_are_asked_for_the_master_of_a_service() -> None:
    url = "redis+sentinel://me:p%40ss@one,two:26380/alarms/3"
    client: Any = connect(url, socket_timeout_s=1.5, retries=0)
    pool = client.connection_pool
    assert isinstance(pool, SentinelConnectionPool)
    assert pool.service_name == "alarms"
    asked = [sentinel.get_connection_kwargs() for sentinel in pool.sentinel_manager.sentinels]
    assert [(node["host"], node["port"]) for node in asked] == [("one", 26379), ("two", 26380)]
    options = pool.connection_kwargs
    assert (options["username"], options["password"], options["db"]) == ("me", "p@ss", 3)
    assert options["socket_timeout"] == 1.5


def test_tls_is_asked_for_by_the_scheme() -> None:
    client: Any = connect("rediss://host:6380/0", socket_timeout_s=1, retries=0)
    assert client.connection_pool.connection_class is redis.SSLConnection


@pytest.mark.parametrize("check", ["ssl_check_hostname=no", "ssl_cert_reqs=none", ""])
def test_tls_with_the_options_that_belong_to_it(
    check: str, tmp_path: Path, redis_program: None
) -> None:
    program = shutil.which("redis-server", path="/usr/bin:/usr/local/bin")
    if program is None:
        pytest.skip("no redis-server of the system, which would have TLS")
    both, port = make_certificate(tmp_path), free_port()
    tls = ["--tls-port", str(port), "--tls-auth-clients", "no", "--tls-ca-cert-file", str(both)]
    own = ["--tls-cert-file", str(both), "--tls-key-file", str(tmp_path / "key.pem")]
    with redis_server(tmp_path / "redis", *tls, *own, program=Path(program)):
        trusted = f"ssl_ca_certs={tmp_path / 'certificate.pem'}&client_name=gate"
        url = f"rediss://127.0.0.1:{port}/2?{trusted}&{check}".rstrip("&")
        with connect(url, socket_timeout_s=30, retries=0) as client:
            info = client.client_info()
            assert (info["db"], info["name"]) == (2, "gate")

        async def twin() -> bool:
            async with connect_async(url, socket_timeout_s=30) as other:
                return bool(await other.ping())

        assert asyncio.run(twin())
        untrusted = f"rediss://127.0.0.1:{port}"
        with (
            connect(untrusted, socket_timeout_s=30, retries=0) as client,
            pytest.raises(EventStoreError, match="CERTIFICATE_VERIFY_FAILED"),
            reporting("NAME"),
        ):
            client.ping()


def test_the_twin_for_asyncio_is_of_the_same_kind() -> None:
    assert isinstance(connect_async("redis://host", socket_timeout_s=1), AsyncRedis)


def test_a_cluster_that_is_not_there_is_named_without_its_password() -> None:
    url = "redis+cluster://user:hunter2@127.0.0.1:1"
    with pytest.raises(EventStoreError, match=r"redis\+cluster://\*\*\*@127") as failure:
        connect(url, socket_timeout_s=0.5, retries=0)
    assert "hunter2" not in str(failure.value)
