"""Events arrive on Redis once and in order, and a server that stays away is an error soon."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
import redis

from pipeline.delivery.outbox import StoredEvent
from pipeline.delivery.stream_writer import REMEMBER_S, Appended, EventStream, Trimming
from pipeline.errors import EventStoreError
from pipeline.events import Event, SequenceGap, decode_event
from pipeline.redis_store.redis_server import free_port
from testbed.redis_server import redis_server
from testbed.tcp_proxy import proxy_to
from tests.pipeline.conftest import STREAM
from tests.pipeline.decided_items import make_event, stored

NOW = 1_700_000_000.0


def rows(*seqs: int, camera: str = "gate") -> list[StoredEvent]:
    return [stored(make_event(seq, camera_id=camera)) for seq in seqs]


def on_stream(client: redis.Redis) -> list[Event]:
    return [decode_event(fields[b"event"]) for _, fields in client.xrange(STREAM)]


def numbers(client: redis.Redis) -> list[tuple[str, int]]:
    return [(event.camera_id, event.seq) for event in on_stream(client)]


def test_events_come_back_equal_and_in_order(stream: EventStream, client: redis.Redis) -> None:
    events = [make_event(seq) for seq in range(1, 251)]
    assert stream.append([stored(event) for event in events], NOW) == Appended(250, 0, None)
    assert on_stream(client) == events


def test_what_is_sent_again_is_not_there_twice(stream: EventStream, client: redis.Redis) -> None:
    stream.append(rows(1, 2, 3), NOW)
    again = stream.append([*rows(1, 2, 3, 4), *rows(1, camera="yard")], NOW + 7 * 86_400)
    assert again == Appended(2, 3, None)
    expected = [("gate", 1), ("gate", 2), ("gate", 3), ("gate", 4), ("yard", 1)]
    assert numbers(client) == expected


def test_a_lost_reply_doubles_nothing(server: str, client: redis.Redis) -> None:
    with (
        proxy_to(server) as proxy,
        EventStream(proxy.url, stream=STREAM, trimming=Trimming(99)) as stream,
    ):
        stream.ping()
        proxy.drop_next_reply.set()
        assert stream.append(rows(1, 2, 3, 4, 5), NOW) == Appended(0, 5, None)
        assert proxy.dropped == 1  # the server had done it, we did not know
    assert numbers(client) == [("gate", seq) for seq in range(1, 6)]


def test_it_stops_before_a_gap_and_reports_its_place(
    stream: EventStream, client: redis.Redis
) -> None:
    stream.append(rows(1, 2), NOW)
    appended = stream.append([*rows(1, camera="yard"), *rows(5, 6)], NOW)
    assert appended == Appended(1, 0, SequenceGap("run/gate", 3, 4))
    assert numbers(client) == [("gate", 1), ("gate", 2), ("yard", 1)]


def test_a_gap_that_the_sender_knows_of_is_none(stream: EventStream, client: redis.Redis) -> None:
    stream.append(rows(1, 2), NOW)
    late = stored(make_event(7), prev=2)
    assert stream.append([late], NOW) == Appended(1, 0, None)
    assert numbers(client)[-1] == ("gate", 7)


def test_numbers_are_forgotten_a_month_after_their_last_event(
    stream: EventStream, client: redis.Redis
) -> None:
    stream.append(rows(1, camera="old"), NOW)
    stream.append(rows(1), NOW + REMEMBER_S + 1)
    assert client.hgetall(f"{{{STREAM}}}:newest") == {b"run/gate": b"1"}
    assert client.zrange(f"{{{STREAM}}}:newest:ages", 0, -1) == [b"run/gate"]


def test_the_stream_is_bounded_by_length(stream: EventStream, client: redis.Redis) -> None:
    for first in range(1, 5001, 500):
        stream.append(rows(*range(first, first + 500)), NOW)
    # "~" trims whole blocks of up to 100 entries (stream-node-max-entries).
    assert 1000 <= client.xlen(STREAM) <= 1100
    assert numbers(client)[-1] == ("gate", 5000)


def test_the_stream_is_bounded_by_age(server: str, client: redis.Redis) -> None:
    client.config_set("stream-node-max-entries", 1)  # "~" removes whole blocks only
    trimming = Trimming(1, max_age_s=3600.0)
    with EventStream(server, stream=STREAM, trimming=trimming) as stream:
        stream.append(rows(1, 2, 3), time.time())
        assert numbers(client) == [("gate", 1), ("gate", 2), ("gate", 3)]
        stream.append(rows(4), time.time() + 7200)
    assert len(numbers(client)) <= 1
    client.config_set("stream-node-max-entries", 100)


def test_the_status_of_a_camera_expires_unless_it_is_written_again(
    stream: EventStream, client: redis.Redis
) -> None:
    key = f"{{{STREAM}}}:camera:gate"
    stream.set_camera("gate", {"state": "up", "fps": "25.0"}, ttl_s=10.0)
    assert client.hgetall(key) == {b"state": b"up", b"fps": b"25.0"}
    assert 0 < client.pttl(key) <= 10_000
    stream.set_camera("gate", {"state": "down"}, ttl_s=10.0)
    assert client.hgetall(key) == {b"state": b"down"}


def test_settings_that_may_lose_events_are_named(stream: EventStream, client: redis.Redis) -> None:
    assert stream.warnings() == []
    client.config_set("maxmemory", "1gb")
    client.config_set("maxmemory-policy", "allkeys-lru")
    client.config_set("appendonly", "no")
    try:
        evicts, keeps = stream.warnings()
        assert "maxmemory-policy allkeys-lru" in evicts
        assert "keeps nothing on disk" in keeps
    finally:
        client.config_set("appendonly", "yes")
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", 0)


def test_an_acl_that_forbids_the_query_is_no_error(server: str, client: redis.Redis) -> None:
    client.acl_setuser("writer", enabled=True, nopass=True, keys=["*"], commands=["+eval"])
    url = server.replace("redis://", "redis://writer:any@")
    with EventStream(url, stream=STREAM, trimming=Trimming(9)) as stream:
        assert stream.warnings() == []


def test_a_frozen_server_is_an_error_within_a_bound(tmp_path: Path, server: str) -> None:
    with (
        redis_server(tmp_path) as url,
        EventStream(url, stream=STREAM, trimming=Trimming(9), socket_timeout_s=0.3) as stream,
        redis.Redis.from_url(url, protocol=2) as client,
    ):
        stream.append(rows(1), NOW)
        pid = client.info("server")["process_id"]
        os.kill(pid, signal.SIGSTOP)
        try:
            begin = time.monotonic()
            with pytest.raises(EventStoreError, match=r"127\.0\.0\.1.*does not answer"):
                stream.append(rows(2), NOW)
            assert time.monotonic() - begin < 3.0
        finally:
            os.kill(pid, signal.SIGCONT)
        stream.append(rows(2, 3), NOW)
        assert numbers(client) == [("gate", 1), ("gate", 2), ("gate", 3)]


def test_a_server_that_is_not_there_is_named_without_its_password() -> None:
    url = f"redis://someone:hunter2@127.0.0.1:{free_port()}/0"
    with EventStream(url, stream=STREAM, trimming=Trimming(9)) as stream:
        begin = time.monotonic()
        with pytest.raises(EventStoreError, match=r"redis://\*\*\*@127\.0\.0\.1") as failure:
            stream.ping()
    assert time.monotonic() - begin < 5.0
    assert "hunter2" not in str(failure.value)


def test_a_wrong_password_is_named_as_such(server: str, client: redis.Redis) -> None:
    client.acl_setuser("reader", enabled=True, passwords=["+right"], categories=["+@all"])
    url = server.replace("redis://", "redis://reader:wrong@")
    with (
        EventStream(url, stream=STREAM, trimming=Trimming(9)) as stream,
        pytest.raises(EventStoreError, match="refuses user or password") as failure,
    ):
        stream.ping()
    assert "wrong@" not in str(failure.value)
    assert "reader" not in str(failure.value)


def test_a_key_that_is_no_stream_is_an_error_that_names_the_reason(
    stream: EventStream, client: redis.Redis
) -> None:
    client.set(STREAM, "a string")
    with pytest.raises(EventStoreError, match="WRONGTYPE"):
        stream.append(rows(1), NOW)
