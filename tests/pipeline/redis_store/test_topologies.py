"""A real cluster and a real sentinel take and give events like a single server."""

from __future__ import annotations

import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis

from pipeline.delivery.camera_heartbeat import CameraHeartbeat
from pipeline.delivery.publisher import Publisher
from pipeline.delivery.storage.outbox import Outbox
from pipeline.delivery.stream_writer import EventStream, Trimming
from pipeline.subscriber import Subscriber
from testbed.redis_server import redis_server
from tests.pipeline.conftest import STREAM
from tests.pipeline.decided_items import make_event, make_item

pytestmark = pytest.mark.usefixtures("redis_program")


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
    with (
        redis_server(tmp_path / "node", "--cluster-enabled", "yes") as url,
        redis.Redis.from_url(url, protocol=2) as node,
    ):
        node.execute_command("CLUSTER", "ADDSLOTS", *range(16384))
        deadline = time.monotonic() + 60
        while b"cluster_state:ok" not in node.execute_command("CLUSTER", "INFO"):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        check_round_trip(f"redis+cluster://127.0.0.1:{urlsplit(url).port}", tmp_path)


def test_a_sentinel(tmp_path: Path) -> None:
    with redis_server(tmp_path / "master") as master:
        config = tmp_path / "sentinel.conf"
        config.write_text(f"sentinel monitor alarms 127.0.0.1 {urlsplit(master).port} 1\n")
        with redis_server(tmp_path / "sentinel", str(config), "--sentinel") as sentinel:
            check_round_trip(f"redis+sentinel://{urlsplit(sentinel).netloc}/alarms", tmp_path)
