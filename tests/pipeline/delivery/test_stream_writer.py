"""Events arrive on Redis once and in order, and a server that stays away is an error soon."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis

from pipeline.delivery.storage.outbox_file import StoredEvent
from pipeline.delivery.stream_writer import REMEMBER_S, Appended, EventStream, Trimming
from pipeline.errors import EventStoreError
from pipeline.events import Event, SequenceGap, decode_event, encode_event
from testbed.free_port import free_port
from testbed.redis_server import redis_server
from testbed.tcp_proxy import proxy_to
from tests.conftest import REPOSITORY
from tests.pipeline.conftest import STREAM
from tests.pipeline.decided_items import make_event, stored


def rows(*seqs: int, camera: str = "gate") -> list[StoredEvent]:
    return [stored(make_event(seq, camera_id=camera)) for seq in seqs]


def on_stream(client: redis.Redis) -> list[Event]:
    return [decode_event(fields[b"event"]) for _, fields in client.xrange(STREAM)]


def numbers(client: redis.Redis) -> list[tuple[str, int]]:
    return [(event.camera_id, event.seq) for event in on_stream(client)]


def test_events_come_back_equal_and_in_order(stream: EventStream, client: redis.Redis) -> None:
    events = [make_event(seq) for seq in range(1, 251)]
    assert stream.append([stored(event) for event in events]) == Appended(250, 0, None)
    assert on_stream(client) == events


def test_what_is_sent_again_is_not_there_twice(stream: EventStream, client: redis.Redis) -> None:
    stream.append(rows(1, 2, 3))
    again = stream.append([*rows(1, 2, 3, 4), *rows(1, camera="yard")])
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
        assert stream.append(rows(1, 2, 3, 4, 5)) == Appended(0, 5, None)
        assert proxy.dropped == 1  # the server had done it, we did not know
    assert numbers(client) == [("gate", seq) for seq in range(1, 6)]


def test_it_stops_before_a_gap_and_reports_its_place(
    stream: EventStream, client: redis.Redis
) -> None:
    stream.append(rows(1, 2))
    appended = stream.append([*rows(1, camera="yard"), *rows(5, 6)])
    assert appended == Appended(1, 0, SequenceGap("run/gate", 3, 4))
    assert numbers(client) == [("gate", 1), ("gate", 2), ("yard", 1)]


def test_a_gap_that_the_sender_knows_of_is_none(stream: EventStream, client: redis.Redis) -> None:
    stream.append(rows(1, 2))
    late = stored(make_event(7), prev=2)
    assert stream.append([late]) == Appended(1, 0, None)
    assert numbers(client)[-1] == ("gate", 7)


def test_numbers_are_forgotten_a_month_after_their_last_event(
    stream: EventStream, client: redis.Redis
) -> None:
    stream.append([*rows(1, camera="old"), *rows(1, camera="month")])
    a_month_ago = time.time() - REMEMBER_S
    ages = {"run/old": a_month_ago - 100, "run/month": a_month_ago + 100}
    client.zadd(f"{{{STREAM}}}:newest:ages", ages)
    stream.append(rows(1))
    assert client.hgetall(f"{{{STREAM}}}:newest") == {b"run/month": b"1", b"run/gate": b"1"}
    assert client.zrange(f"{{{STREAM}}}:newest:ages", 0, -1) == [b"run/month", b"run/gate"]
    assert set(client.hgetall(f"{{{STREAM}}}:newest:digests")) == {b"run/month", b"run/gate"}


def test_the_stream_is_bounded_by_length(stream: EventStream, client: redis.Redis) -> None:
    for first in range(1, 5001, 500):
        stream.append(rows(*range(first, first + 500)))
    # "~" trims whole blocks of up to 100 entries (stream-node-max-entries).
    assert 1000 <= client.xlen(STREAM) <= 1100
    assert numbers(client)[-1] == ("gate", 5000)


def add_in_the_past(client: redis.Redis, seconds: float, event: Event) -> None:
    """Add an entry as it would be there had it been appended so many seconds ago."""
    entry_id = f"{round(1e3 * (time.time() - seconds))}-0"
    client.xadd(STREAM, {"event": encode_event(event)}, id=entry_id)


def test_the_stream_is_bounded_by_age(server: str, client: redis.Redis) -> None:
    client.config_set("stream-node-max-entries", 1)  # "~" removes whole blocks only
    trimming = Trimming(1, max_age_s=3600.0)
    add_in_the_past(client, 3700.0, make_event(1, camera_id="old"))
    add_in_the_past(client, 3500.0, make_event(1, camera_id="young"))
    with EventStream(server, stream=STREAM, trimming=trimming) as stream:
        stream.append(rows(1, 2))
    assert numbers(client) == [("young", 1), ("gate", 1), ("gate", 2)]
    client.config_set("stream-node-max-entries", 100)


APPEND_ONE = """
import sys
from pipeline.delivery.stream_writer import EventStream, Trimming
from tests.pipeline.decided_items import make_event, stored
with EventStream(sys.argv[1], stream=sys.argv[2], trimming=Trimming(1, max_age_s=3600.0)) as stream:
    print(stream.append([stored(make_event(1, run_id="ahead"))]).added)
"""


@pytest.mark.skipif(shutil.which("faketime") is None, reason="faketime is not installed")
@pytest.mark.parametrize("shift", ["+40d", "-40d"])
def test_a_sender_whose_clock_is_wrong_deletes_and_doubles_nothing_of_others(
    server: str, client: redis.Redis, shift: str
) -> None:
    client.config_set("stream-node-max-entries", 1)
    with EventStream(server, stream=STREAM, trimming=Trimming(1, max_age_s=3600.0)) as stream:
        stream.append(rows(1, 2, 3))
        command = ["faketime", "-f", shift, sys.executable, "-c", APPEND_ONE, server, STREAM]
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
        assert done.stdout == "1\n", done.stderr
        assert stream.append(rows(1, 2, 3, 4)) == Appended(1, 3, None)
    expected = [("gate", 1), ("gate", 2), ("gate", 3), ("gate", 1), ("gate", 4)]
    assert numbers(client) == expected
    client.config_set("stream-node-max-entries", 100)


def test_an_acl_without_time_measures_ages_by_the_newest_entry(
    server: str, client: redis.Redis
) -> None:
    client.config_set("stream-node-max-entries", 1)
    commands = ["+eval", "+@stream", "+@hash", "+@sortedset", "-time"]
    client.acl_setuser("writer", enabled=True, nopass=True, keys=["*"], commands=commands)
    add_in_the_past(client, 3700.0, make_event(1, camera_id="old"))
    add_in_the_past(client, 0.0, make_event(1, camera_id="young"))
    url = server.replace("redis://", "redis://writer:any@")
    with EventStream(url, stream=STREAM, trimming=Trimming(1, max_age_s=3600.0)) as stream:
        assert stream.append(rows(1, 2)) == Appended(2, 0, None)
    assert numbers(client) == [("young", 1), ("gate", 1), ("gate", 2)]
    client.config_set("stream-node-max-entries", 100)


def test_a_known_number_with_another_text_is_reported(
    stream: EventStream, client: redis.Redis
) -> None:
    stream.append(rows(1, 2, 3))
    assert stream.append(rows(1, 2, 3)) == Appended(0, 3, None)
    other = [stored(make_event(seq, action="hugging")) for seq in (1, 2, 3, 4)]
    assert stream.append(other) == Appended(1, 3, None, differing=(2,))
    assert [event.seq for event in on_stream(client)] == [1, 2, 3, 4]


def test_numbers_of_a_sender_without_digests_are_only_compared_by_number(
    stream: EventStream, client: redis.Redis
) -> None:
    stream.append(rows(1))
    client.hset(f"{{{STREAM}}}:newest", "run/gate", 2)  # an older version appended number 2
    assert stream.append(rows(1, 2)) == Appended(0, 2, None)


def test_what_a_sender_has_lost_is_found_on_the_stream(
    stream: EventStream, client: redis.Redis
) -> None:
    stream.append([*rows(1, 2, 3), *rows(1, 2, camera="yard"), *rows(4, 5)])
    client.xadd(STREAM, {"event": '{"run_id":"run"'})  # of another program
    client.xadd(STREAM, {"other": "field"})
    assert stream.newest_of_run("run") == {"run/gate": 5, "run/yard": 2}
    assert stream.newest_of_run("ru") == {}
    assert stream.newest_of_run("r*") == {}
    found = stream.events_behind("run/gate", 2, 5)
    assert [event.seq for event in found] == [3, 4, 5]
    assert stream.events_behind("run/hall", 0, 5) == []


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
        stream.append(rows(1))
        pid = client.info("server")["process_id"]
        os.kill(pid, signal.SIGSTOP)
        try:
            begin = time.monotonic()
            with pytest.raises(EventStoreError, match=r"127\.0\.0\.1.*does not answer"):
                stream.append(rows(2))
            assert time.monotonic() - begin < 3.0
        finally:
            os.kill(pid, signal.SIGCONT)
        stream.append(rows(2, 3))
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
        stream.append(rows(1))
