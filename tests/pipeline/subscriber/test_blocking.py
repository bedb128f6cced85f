"""What a subscriber is given while lines break, servers lose data, and stops come."""

from __future__ import annotations

import re
import threading
from collections import Counter
from pathlib import Path

import redis

from pipeline.delivery.camera_heartbeat import CameraHeartbeat
from pipeline.delivery.publisher import Publisher
from pipeline.delivery.storage.outbox import Outbox
from pipeline.delivery.stream_writer import EventStream, Trimming
from pipeline.subscriber.reports import (
    GroupLost,
)
from testbed.tcp_proxy import proxy_to
from tests.conftest import REPOSITORY
from tests.pipeline.conftest import STREAM
from tests.pipeline.decided_items import make_event
from tests.pipeline.subscriber.readers import Reader, publish


def test_a_server_that_lost_its_data_is_read_again(
    stream: EventStream, server: str, client: redis.Redis
) -> None:
    publish(stream, 1, 2)
    seen: list[tuple[str, int]] = []
    with Reader(server, group="alarms") as reader:
        for event in reader.subscriber:
            seen.append((event.run_id, event.seq))
            if len(seen) == 2:
                client.flushall()
                publish(stream, 1, 2, 3, run_id="next")
            if len(seen) == 5:
                reader.subscriber.stop()
        assert reader.reports == [GroupLost("alarms")]
    assert seen == [("run", 1), ("run", 2), ("next", 1), ("next", 2), ("next", 3)]


def test_a_line_that_breaks_again_and_again_loses_nothing(
    stream: EventStream, server: str, client: redis.Redis
) -> None:
    seqs: Counter[int] = Counter()
    with proxy_to(server) as proxy, Reader(proxy.url, group="alarms", max_tries=50) as reader:
        publish(stream, *range(1, 301))
        for event in reader.subscriber:
            seqs[event.seq] += 1
            if event.seq % 7 == 0:
                proxy.drop_next_reply.set()
            if event.seq % 40 == 0:
                proxy.cut()
            if event.seq == 300:
                reader.subscriber.stop()
        assert proxy.dropped > 5
    assert sorted(seqs) == list(range(1, 301))
    assert reader.reports == []
    assert not client.exists(f"{{{STREAM}}}:dead:alarms")


def test_a_stop_ends_the_wait_for_a_server_that_is_unavailable() -> None:
    with Reader("redis://127.0.0.1:1/0", group="alarms") as reader:
        timer = threading.Timer(0.2, reader.subscriber.stop)
        timer.start()
        assert list(reader.subscriber) == []
        timer.join()


def test_handling_ends_after_a_count(stream: EventStream, server: str) -> None:
    publish(stream, 1, 2, 3)
    seen: list[int] = []
    with Reader(server, group="alarms") as reader:
        assert reader.subscriber.handle(lambda event: seen.append(event.seq), count=2) == 2
    assert seen == [1, 2]


def test_a_user_with_the_rights_that_the_docs_name_may_write_and_read(
    server: str, client: redis.Redis, tmp_path: Path
) -> None:
    page = (REPOSITORY / "docs" / "subscribe.md").read_text()
    rights = re.search(r"and `(\+@stream[^`]*)`", page)
    assert rights is not None
    words = rights[1].split()
    client.acl_setuser(
        "limited",
        enabled=True,
        passwords=["+pw"],
        keys=[f"*{STREAM}*"],
        categories=[word for word in words if "@" in word],
        commands=[word for word in words if "@" not in word],
    )
    url = server.replace("redis://", "redis://limited:pw@")
    with (
        EventStream(url, stream=STREAM, trimming=Trimming(9)) as stream,
        Outbox(tmp_path / "a.outbox") as outbox,
    ):
        publisher = Publisher([outbox], stream, CameraHeartbeat("run"))
        publisher.start()
        outbox.append([make_event(1), make_event(2)])
        assert publisher.drain(20.0) == 0
        publisher.stop()
        stream.set_camera("gate", {"state": "up"}, ttl_s=1.0)
    with Reader(url, group="alarms") as reader:
        assert reader.take(2) == [1, 2]
    with Reader(url, group="alarms") as reader:
        assert reader.rest() == []
    with Reader(url, to_end_only=True) as reader:
        assert [event.seq for event in reader.subscriber] == [1, 2]
