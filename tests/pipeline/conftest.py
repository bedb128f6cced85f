"""A real redis-server for the tests of this folder; they skip where there is none."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from pipeline.delivery.stream_writer import EventStream, Trimming
from pipeline.errors import EventStoreError
from pipeline.redis_store.server_program import find_redis_server
from testbed.redis_server import redis_server

STREAM = "test:events"


@pytest.fixture(scope="session")
def redis_program() -> None:
    """Skips, with what to install, where there is no redis-server."""
    try:
        find_redis_server()
    except EventStoreError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def server(redis_program: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis_server(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture
def client(server: str) -> Iterator[redis.Redis]:
    client = redis.Redis.from_url(server, protocol=2)
    client.flushall()
    yield client
    client.close()


@pytest.fixture
def stream(server: str, client: redis.Redis) -> Iterator[EventStream]:
    with EventStream(server, stream=STREAM, trimming=Trimming(1000)) as stream:
        yield stream
