"""What both subscribers do with their options and with errors of the server."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis

from pipeline.errors import EventStoreError
from pipeline.events import encode_event
from pipeline.subscriber import AsyncSubscriber, Subscriber
from tests.pipeline.conftest import STREAM
from tests.pipeline.decided_items import make_event
from tests.pipeline.subscriber.readers import Reader, force, until


def test_a_start_that_is_no_entry_id_is_an_error(server: str) -> None:
    with pytest.raises(ValueError, match="start must be"):
        Subscriber(server, start="yesterday")


def test_a_server_that_refuses_is_an_error_without_the_password(
    server: str, client: redis.Redis
) -> None:
    client.acl_setuser("reader", enabled=True, passwords=["+right"], categories=["+@all"])
    url = server.replace("redis://", "redis://reader:hunter2@")
    with Reader(url) as reader, pytest.raises(EventStoreError, match="refuses user") as failure:
        list(reader.subscriber)
    assert "hunter2" not in str(failure.value)


class ScriptedClient:
    """Raises what it was given, one after the other, then knows the end of an empty stream."""

    def __init__(self, *errors: Exception) -> None:
        self._errors = list(errors)

    def eval(self, *arguments: object) -> list[object]:
        if self._errors:
            raise self._errors.pop(0)
        return [b"0-0", []]

    def xread(self, *arguments: object, **options: object) -> list[object]:
        return []

    def close(self) -> None:
        pass


class ScriptedSubscriber(Subscriber):
    script: tuple[Exception, ...] = ()

    def _connect(self, url: str, *, socket_timeout_s: float) -> ScriptedClient:
        return ScriptedClient(*self.script)


def test_pauses_grow_while_the_server_is_unavailable_and_one_line_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("pipeline.runtime.backoff.random.uniform", lambda low, high: high)
    monkeypatch.setattr(ScriptedSubscriber, "script", (redis.ConnectionError("gone"),) * 7)
    pauses: list[float | None] = []

    def wait(timeout: float | None = None) -> bool:
        pauses.append(timeout)
        return False

    with ScriptedSubscriber("redis://host", to_end_only=True) as subscriber:
        monkeypatch.setattr(subscriber._stop, "wait", wait)
        assert list(subscriber) == []
    assert pauses == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.0, 3.0])
    waiting, answering = [record.message for record in caplog.records]
    assert waiting.startswith("Redis at redis://host does not answer: gone")
    assert answering == "Redis at redis://host answers again"


# --- states of a real server that pass

WAITING = "waiting for it"
State = Callable[[redis.Redis, Path], Callable[[], object]]  # returns what ends it


def demoted(client: redis.Redis, folder: Path) -> Callable[[], object]:
    client.execute_command("REPLICAOF", "127.0.0.1", "1")
    return lambda: client.execute_command("REPLICAOF", "NO", "ONE")


def demoted_without_a_primary(client: redis.Redis, folder: Path) -> Callable[[], object]:
    client.config_set("replica-serve-stale-data", "no")
    return demoted(client, folder)


def too_few_replicas(client: redis.Redis, folder: Path) -> Callable[[], object]:
    client.config_set("min-replicas-to-write", 1)
    return lambda: client.config_set("min-replicas-to-write", 0)


def full_disk(client: redis.Redis, folder: Path) -> Callable[[], object]:
    in_the_way = Path(client.config_get("dir")["dir"]) / "dump.rdb"
    in_the_way.mkdir()  # no snapshot can replace a folder
    client.config_set("save", "3600 1")
    client.bgsave()
    until(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err")

    def end() -> None:
        client.config_set("save", "")
        in_the_way.rmdir()

    return end


def full_memory(client: redis.Redis, folder: Path) -> Callable[[], object]:
    client.config_set("maxmemory", 1)
    return lambda: client.config_set("maxmemory", 0)


def busy(client: redis.Redis, folder: Path) -> Callable[[], object]:
    client.config_set("lua-time-limit", 1)
    where = client.connection_pool.connection_kwargs
    other = redis.Redis(where["host"], where["port"])

    def spin() -> None:
        with pytest.raises(redis.ResponseError, match="kill"):
            other.eval("while true do end", 0)

    spinning = threading.Thread(target=spin)
    spinning.start()

    def end() -> None:
        client.script_kill()
        spinning.join()
        other.close()

    def is_busy() -> bool:
        try:
            client.ping()
        except redis.ResponseError:
            return True
        return False

    until(is_busy)
    return end


def too_many_clients(client: redis.Redis, folder: Path) -> Callable[[], object]:
    client.config_set("maxclients", 1)
    client.client_kill_filter(_type="normal", skipme=True)
    return lambda: client.config_set("maxclients", 100)


STATES: list[State] = [
    demoted,
    demoted_without_a_primary,
    too_few_replicas,
    full_disk,
    full_memory,
    busy,
    too_many_clients,
]
NOTICED_BY_READS = (demoted_without_a_primary, busy, too_many_clients)


@contextmanager
def reading(subscriber: Subscriber, on_first: Callable[[], object]) -> Iterator[list[int]]:
    """The numbers that a thread reads; it must not end before the block does."""
    seqs: list[int] = []
    failures: list[Exception] = []

    def read() -> None:
        try:
            for event in subscriber:
                seqs.append(event.seq)
                if event.seq == 1:
                    on_first()
        except Exception as error:
            failures.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield seqs
        assert thread.is_alive()
    finally:
        subscriber.stop()
        thread.join()
        subscriber.close()
    assert failures == []


@pytest.mark.parametrize("group", [None, "alarms"])
@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_a_state_that_passes_is_waited_for_and_reported_once(
    server: str,
    client: redis.Redis,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    group: str | None,
    state: State,
) -> None:
    force(client, make_event(1))
    ends: list[Callable[[], object]] = []
    options: dict[str, Any] = {"stream": STREAM, "start": "0", "block_s": 0.02, "group": group}
    subscriber = Subscriber(server, **options)
    noticed = state in NOTICED_BY_READS or (group is not None and state is not full_memory)
    try:
        with reading(subscriber, lambda: ends.append(state(client, tmp_path))) as seqs:
            until(lambda: ends)
            until(lambda: not noticed or WAITING in caplog.text)
            ends.pop()()
            force(client, make_event(2))
            until(lambda: seqs == [1, 2])
            until(lambda: not noticed or "answers again" in caplog.text)
    finally:
        for end in ends:
            end()
        client.config_set("replica-serve-stale-data", "yes")
    waits = [record.message for record in caplog.records if WAITING in record.message]
    # Of a demotion two changes are reported: a client blocked in a command gets another error.
    assert len(waits) <= (2 if state in (demoted, demoted_without_a_primary) else 1)
    assert bool(waits) >= noticed


def test_a_reader_that_is_blocked_when_its_server_is_demoted_goes_on(
    server: str, client: redis.Redis, tmp_path: Path
) -> None:
    subscriber = Subscriber(server, stream=STREAM, start="0", block_s=1.0)
    with reading(subscriber, lambda: None) as seqs:
        until(lambda: client.info("clients")["blocked_clients"])
        demoted(client, tmp_path)()  # and is a primary again
        force(client, make_event(1))
        until(lambda: seqs == [1])


def test_asyncio_waits_for_a_state_that_passes(
    server: str, client: redis.Redis, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    force(client, make_event(1))
    options: dict[str, Any] = {"stream": STREAM, "start": "0", "block_s": 0.02, "group": "alarms"}

    async def seqs() -> list[int]:
        found: list[int] = []
        healing: list[threading.Thread] = []

        def heal(end: Callable[[], object]) -> None:
            until(lambda: WAITING in caplog.text)
            end()
            client.xadd(STREAM, {"event": encode_event(make_event(2))})

        async with AsyncSubscriber(server, **options) as subscriber:
            async for event in subscriber:
                found.append(event.seq)
                if event.seq == 1:
                    end = demoted(client, tmp_path)
                    healing.append(threading.Thread(target=heal, args=(end,)))
                    healing[0].start()
                else:
                    subscriber.stop()
        healing[0].join()
        return found

    assert asyncio.run(asyncio.wait_for(seqs(), 60)) == [1, 2]


def test_a_key_of_another_type_is_final(server: str, client: redis.Redis) -> None:
    client.set(STREAM, "no stream")
    for group in (None, "alarms"):
        with (
            Reader(server, group=group) as reader,
            pytest.raises(EventStoreError, match="WRONGTYPE"),
        ):
            list(reader.subscriber)


def test_a_permission_that_lacks_is_final(server: str, client: redis.Redis) -> None:
    client.acl_setuser(
        "pinger", enabled=True, passwords=["+right"], keys=["*"], commands=["+ping", "+eval"]
    )
    url = server.replace("redis://", "redis://pinger:right@")
    for group in (None, "alarms"):
        with (
            Reader(url, group=group) as reader,
            pytest.raises(EventStoreError, match="refuses: ") as failure,
        ):
            list(reader.subscriber)
        assert "right" not in str(failure.value)


def test_a_server_that_answers_with_a_state_is_there(server: str, client: redis.Redis) -> None:
    end = busy(client, Path())
    with Reader(server) as reader:
        reader.subscriber.ping()
        end()
        reader.subscriber.ping()


def test_between_two_states_the_server_that_refuses_writes_is_not_asked_in_a_hurry(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Reads succeed while writes fail: the pauses grow, and one line is logged."""
    refused = redis.exceptions.ReadOnlyError("You can't write against a read only replica.")

    class Replica(ScriptedClient):
        def eval(self, script: str, *arguments: object) -> list[object]:
            if "XREADGROUP" in script:
                raise refused
            row = [b"1-0", [b"event", encode_event(make_event(1)).encode()]]
            return [b"0-0", b"1-0", [row]] if "last-delivered-id" in script else []

        def hgetall(self, *arguments: object) -> dict[bytes, bytes]:
            return {}

        def xpending_range(self, *arguments: object, **options: object) -> list[object]:
            return []

        def xreadgroup(self, *arguments: object) -> list[object]:
            return []

        def xgroup_delconsumer(self, *arguments: object) -> int:
            return 0

    pauses: list[float | None] = []

    def wait(timeout: float | None = None) -> bool:
        pauses.append(timeout)
        return len(pauses) == 5

    monkeypatch.setattr("pipeline.runtime.backoff.random.uniform", lambda low, high: high)
    monkeypatch.setattr(ScriptedSubscriber, "_connect", lambda *a, **k: Replica())
    with ScriptedSubscriber("redis://host", group="alarms") as subscriber:
        monkeypatch.setattr(subscriber._stop, "wait", wait)
        monkeypatch.setattr(subscriber._stop, "is_set", lambda: len(pauses) == 5)
        assert list(subscriber) == []
    assert pauses == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6])
    assert [record.message for record in caplog.records if WAITING in record.message] == [
        "Redis at redis://host cannot serve now (READONLY): You can't write against a read only "
        "replica. (it is a replica now, or has no primary); waiting for it"
    ]
