"""A real cluster and a real sentinel take and give events like a single server."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from pipeline.delivery.camera_heartbeat import CameraHeartbeat
from pipeline.delivery.outbox import Outbox
from pipeline.delivery.publisher import Publisher
from pipeline.delivery.stream_writer import EventStream, Trimming
from pipeline.redis_store.redis_server import find_redis_server, free_port
from pipeline.subscriber import Subscriber
from tests.pipeline.conftest import STREAM
from tests.pipeline.decided_items import make_event, make_item

pytestmark = pytest.mark.usefixtures("redis_program")


@contextmanager
def server(folder: Path, *arguments: str) -> Iterator[redis.Redis]:
    """A redis-server of its own, until the block ends."""
    folder.mkdir()
    port = port_with_a_bus()
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    if arguments[0].startswith("--"):
        options += arguments
    else:  # a configuration file comes first
        options = [*arguments, *options[:4]]
    process = subprocess.Popen(
        [str(find_redis_server()), *options], cwd=folder, stdout=subprocess.DEVNULL
    )
    try:
        with redis.Redis(port=port, protocol=2) as client:
            until_it_answers(client, process)
            yield client
    finally:
        process.kill()
        process.wait()


def port_with_a_bus() -> int:
    """A free port of the lower range: a cluster node listens on the port 10,000 above it too."""
    return next(port for port in iter(free_port, None) if port + 10_000 < 65_536)


def until_it_answers(client: redis.Redis, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while True:
        assert process.poll() is None, "the redis-server ended before it answered"
        try:
            client.ping()
        except redis.RedisError:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        else:
            return


def port_of(client: redis.Redis) -> int:
    return int(client.connection_pool.connection_kwargs["port"])


def check_round_trip(url: str, folder: Path) -> None:
    heartbeat = CameraHeartbeat("run")
    heartbeat.record(make_item())
    with (
        EventStream(url, stream=STREAM, trimming=Trimming(1000)) as stream,
        Outbox(folder / "a.outbox") as outbox,
    ):
        publisher = Publisher([outbox], stream, heartbeat)
        publisher.start()
        outbox.append([make_event(seq) for seq in range(1, 301)])
        assert publisher.drain(20.0) == 0
        publisher.stop()
        assert publisher.last_error is None
    seqs: list[int] = []
    with Subscriber(url, stream=STREAM, group="alarms", start="0", block_s=0.1) as subscriber:
        subscriber.handle(lambda event: seqs.append(event.seq), count=300)
    assert seqs == list(range(1, 301))
    with Subscriber(url, stream=STREAM, start="0", to_end_only=True) as reader:
        assert len(list(reader)) == 300


def test_a_cluster(tmp_path: Path) -> None:
    with server(tmp_path / "node", "--cluster-enabled", "yes") as node:
        node.execute_command("CLUSTER", "ADDSLOTS", *range(16384))
        deadline = time.monotonic() + 20
        while b"cluster_state:ok" not in node.execute_command("CLUSTER", "INFO"):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        check_round_trip(f"redis+cluster://127.0.0.1:{port_of(node)}", tmp_path)


def test_a_sentinel(tmp_path: Path) -> None:
    with server(tmp_path / "master", "--appendonly", "no") as master:
        config = tmp_path / "sentinel.conf"
        config.write_text(f"sentinel monitor alarms 127.0.0.1 {port_of(master)} 1\n")
        with server(tmp_path / "sentinel", str(config), "--sentinel") as sentinel:
            url = f"redis+sentinel://127.0.0.1:{port_of(sentinel)}/alarms"
            check_round_trip(url, tmp_path)
