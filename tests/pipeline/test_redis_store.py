"""Events arrive on Redis once and in order, and a server that stays away is an error soon."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import redis

from pipeline.embedded_redis import embedded_redis
from pipeline.errors import EventStoreError
from pipeline.events import EventError
from pipeline.redis_server import free_port
from pipeline.redis_store import BEGINNING, RedisEventStore
from tests.pipeline.conftest import STREAM
from tests.pipeline.decided_items import make_event


class ReplyDroppingProxy:
    """Passes bytes between clients and a server; can lose a reply together with its connection."""

    def __init__(self, port: int) -> None:
        self.drop_next_reply = threading.Event()
        self.dropped = 0
        self._server_port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._sockets: list[socket.socket] = [self._listener]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        for one in self._sockets:
            end_both_ways(one)
        for thread in self._threads:
            thread.join(timeout=10)
        for one in self._sockets:
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return  # closed
            far = socket.create_connection(("127.0.0.1", self._server_port))
            self._sockets += [near, far]
            for source, target, drops in ((near, far, False), (far, near, True)):
                thread = threading.Thread(target=self._pump, args=(source, target, drops))
                self._threads.append(thread)
                thread.start()

    def _pump(self, source: socket.socket, target: socket.socket, drops: bool) -> None:
        while data := source.recv(65536):
            if drops and self.drop_next_reply.is_set():
                self.drop_next_reply.clear()
                self.dropped += 1
                break
            target.sendall(data)
        end_both_ways(source)
        end_both_ways(target)


def end_both_ways(one: socket.socket) -> None:
    with suppress(OSError):  # the other end was faster
        one.shutdown(socket.SHUT_RDWR)


@contextmanager
def proxy_to(url: str) -> Iterator[ReplyDroppingProxy]:
    proxy = ReplyDroppingProxy(int(url.split(":")[-1].removesuffix("/0")))
    try:
        yield proxy
    finally:
        proxy.close()


def test_events_come_back_equal_and_in_the_order_of_publishing(store: RedisEventStore) -> None:
    events = [make_event(seq) for seq in range(1, 251)]

    ids = store.publish(events[:200]) + store.publish(events[200:])

    entries = store.read_after(BEGINNING, limit=1000)
    assert [event for _, event in entries] == events
    assert [entry_id for entry_id, _ in entries] == ids
    assert store.last_id() == ids[-1]


def test_the_stream_is_bounded(store: RedisEventStore, client: redis.Redis) -> None:
    for first in range(0, 5000, 500):
        store.publish([make_event(seq) for seq in range(first + 1, first + 501)])

    # "~" trims whole blocks of up to 100 entries (stream-node-max-entries).
    assert 1000 <= client.xlen(STREAM) <= 1100
    assert store.read_after(BEGINNING, limit=1)[0][1] != make_event(1)


def test_a_publish_repeated_after_a_lost_reply_appears_once(
    server: str, client: redis.Redis
) -> None:
    events = [make_event(seq) for seq in range(1, 6)]
    with (
        proxy_to(server) as proxy,
        RedisEventStore(f"redis://127.0.0.1:{proxy.port}/0", stream=STREAM, maxlen=99) as store,
    ):
        store.ping()
        proxy.drop_next_reply.set()

        ids = store.publish(events)

        assert proxy.dropped == 1  # the server had done it, the store did not know
        assert [event for _, event in store.read_after(BEGINNING)] == events
        assert client.xlen(STREAM) == len(set(ids)) == 5


def test_the_same_event_published_later_keeps_its_entry(store: RedisEventStore) -> None:
    first = store.publish([make_event(1), make_event(2)])

    assert store.publish([make_event(2), make_event(3)])[0] == first[1]
    assert len(store.read_after(BEGINNING)) == 3


def test_the_memory_of_published_events_fades(store: RedisEventStore, client: redis.Redis) -> None:
    store.publish([make_event(1)])

    markers = [key for key in client.keys("*") if key != STREAM.encode()]
    assert len(markers) == 1
    assert 0 < client.ttl(markers[0]) <= 600


def test_nothing_to_publish_needs_no_server() -> None:
    with RedisEventStore("redis://127.0.0.1:1/0", stream=STREAM, maxlen=9) as store:
        assert store.publish([]) == []


def test_what_is_no_event_is_handed_on_as_an_error(
    store: RedisEventStore, client: redis.Redis
) -> None:
    client.xadd(STREAM, {"event": "not json"})
    client.xadd(STREAM, {"other": "field"})
    client.xadd(STREAM, {"event": b"\xff\xfe"})
    store.publish([make_event(1)])

    kinds = [type(event) for _, event in store.read_after(BEGINNING)]
    assert kinds == [EventError, EventError, EventError, type(make_event(1))]


def test_reading_waits_no_longer_than_told_where_nothing_comes(store: RedisEventStore) -> None:
    begin = time.monotonic()
    assert store.read_after(BEGINNING, block_s=0.2) == []
    assert 0.15 < time.monotonic() - begin < 2.0


def test_a_frozen_server_is_an_error_within_a_bound(tmp_path: Path, server: str) -> None:
    with (
        embedded_redis(tmp_path) as url,
        RedisEventStore(url, stream=STREAM, maxlen=9, socket_timeout_s=0.3, retries=2) as store,
        redis.Redis.from_url(url, protocol=2) as client,
    ):
        store.publish([make_event(1)])
        pid = client.info("server")["process_id"]
        os.kill(pid, signal.SIGSTOP)
        try:
            begin = time.monotonic()
            with pytest.raises(EventStoreError, match=r"127\.0\.0\.1.*does not answer"):
                store.publish([make_event(2)])
            assert time.monotonic() - begin < 3.0
        finally:
            os.kill(pid, signal.SIGCONT)
        store.publish([make_event(2), make_event(3)])
        assert len(store.read_after(BEGINNING)) == 3


def test_a_server_that_is_not_there_is_named_without_its_password() -> None:
    url = f"redis://someone:hunter2@127.0.0.1:{free_port()}/0"
    with RedisEventStore(url, stream=STREAM, maxlen=9) as store:
        begin = time.monotonic()
        with pytest.raises(EventStoreError, match=r"redis://\*\*\*@127\.0\.0\.1") as failure:
            store.ping()
    assert time.monotonic() - begin < 5.0
    assert "hunter2" not in str(failure.value)


def test_a_wrong_password_is_named_as_such(server: str, client: redis.Redis) -> None:
    client.acl_setuser("reader", enabled=True, passwords=["+right"], categories=["+@all"])
    url = server.replace("redis://", "redis://reader:wrong@")
    with (
        RedisEventStore(url, stream=STREAM, maxlen=9) as store,
        pytest.raises(EventStoreError, match="refuses user or password") as failure,
    ):
        store.ping()
    assert "wrong@" not in str(failure.value)
    assert "reader" not in str(failure.value)


@pytest.mark.parametrize(
    "url", ["http://host", "host:6379", "redis://user:hun/ter2@host/0", "redis://user:h@host:nan/0"]
)
def test_a_url_that_is_none_is_an_error_without_its_password(url: str) -> None:
    with pytest.raises(EventStoreError, match="not a Redis URL") as failure:
        RedisEventStore(url, stream=STREAM, maxlen=9)
    assert "hun" not in str(failure.value)
    assert failure.value.__cause__ is None


def test_a_key_that_is_no_stream_is_an_error_that_says_so(
    store: RedisEventStore, client: redis.Redis
) -> None:
    client.set(STREAM, "a string")

    with pytest.raises(EventStoreError, match="WRONGTYPE"):
        store.publish([make_event(1)])


def test_a_start_that_is_no_entry_id_is_an_error(store: RedisEventStore) -> None:
    with pytest.raises(EventStoreError, match="Invalid stream ID"):
        store.read_after("yesterday")
