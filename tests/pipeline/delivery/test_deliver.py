"""A run's events reach the server, or wait on disk if it is allowed to end without it."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
import redis

from pipeline.config.delivery import RedisConfig
from pipeline.delivery.deliver import deliver_events, flush_events
from pipeline.delivery.storage.outbox import Outbox
from pipeline.errors import EventStoreError, OutboxError
from pipeline.events import decode_event
from tests.pipeline.conftest import STREAM
from tests.pipeline.decided_items import make_event, make_item

NOWHERE = "redis://user:secret@127.0.0.1:1/0"


def section(url: str) -> RedisConfig:
    return RedisConfig(
        url=url, stream=STREAM, maxlen=1000, max_age_s=None, wait_s=0.2, outbox_max_mb=1
    )


def test_the_events_of_a_run_are_on_the_stream_and_no_file_is_left(
    server: str, client: redis.Redis, tmp_path: Path
) -> None:
    published: list[int] = []
    with deliver_events(
        server,
        section(server),
        tmp_path,
        "run",
        threading.Event(),
        published=lambda event, at: published.append(event.seq),
    ) as sink:
        sink.write(make_item(0, events=[make_event(1), make_event(2)]))
    assert client.xlen(STREAM) == 2
    assert published == [1, 2]
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_not_there_at_the_start_is_an_error(tmp_path: Path) -> None:
    began_at = time.monotonic()
    with (
        pytest.raises(EventStoreError, match=r"127\.0\.0\.1:1/0 does not answer") as failure,
        deliver_events(NOWHERE, section(NOWHERE), tmp_path, "run", threading.Event()),
    ):
        pytest.fail("it began without a server")
    assert time.monotonic() - began_at >= 0.2
    assert "secret" not in str(failure.value)


def test_where_events_may_wait_they_do_and_a_flush_delivers_them_once(
    server: str, client: redis.Redis, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cancelled = threading.Event()
    with deliver_events(NOWHERE, section(NOWHERE), tmp_path, "run", cancelled, spool=True) as sink:
        sink.write(make_item(0, events=[make_event(1, "start"), make_event(2, "end")]))
    assert "lacks 2 events" in caplog.text
    assert client.xlen(STREAM) == 0
    assert flush_events(server, section(server), tmp_path, cancelled) == 2
    assert client.xlen(STREAM) == 2
    assert flush_events(server, section(server), tmp_path, cancelled) == 0


def leave_events(folder: Path, run_id: str = "run") -> Path:
    """Leave what a killed run leaves; returns its outbox."""
    path = folder / f"{run_id}-a1.outbox"
    with Outbox(path, target="here") as box:
        box.append([make_event(1, "start"), make_event(2, "end")])
    return path


def test_a_flush_that_leaves_an_outbox_is_an_error_and_a_later_one_delivers_it(
    server: str, client: redis.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.delivery.storage.outbox_file._BUSY_S", 0.01)
    path = leave_events(tmp_path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(OutboxError, match=r"0 events delivered, but not those in .*run-a1"):
            flush_events(server, section(server), tmp_path, threading.Event())
        other.execute("ROLLBACK")
    assert flush_events(server, section(server), tmp_path, threading.Event()) == 2
    assert client.xlen(STREAM) == 2


def test_a_flush_that_sets_records_aside_is_an_error_and_delivers_the_rest(
    server: str, client: redis.Redis, tmp_path: Path
) -> None:
    path = leave_events(tmp_path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE events SET text = replace(text, '0.75', '0.74') WHERE id = 1")
    with pytest.raises(OutboxError, match=r"1 events delivered; .*: run-a1\.outbox\.quarantine"):
        flush_events(server, section(server), tmp_path, threading.Event())
    assert client.xlen(STREAM) == 1
    assert flush_events(server, section(server), tmp_path, threading.Event()) == 0


def test_what_a_running_run_holds_is_none_of_a_flush(
    server: str, client: redis.Redis, tmp_path: Path
) -> None:
    cancelled = threading.Event()
    with deliver_events(NOWHERE, section(NOWHERE), tmp_path, "run", cancelled, spool=True) as sink:
        sink.write(make_item(0, events=[make_event(1, "start"), make_event(2, "end")]))
        assert flush_events(server, section(server), tmp_path, cancelled) == 0
    assert flush_events(server, section(server), tmp_path, cancelled) == 2


def test_a_full_disk_ends_no_run_while_redis_takes_its_events(
    server: str, client: redis.Redis, tmp_path: Path
) -> None:
    with deliver_events(server, section(server), tmp_path, "run", threading.Event()) as sink:
        sink.write(make_item(0, events=[make_event(1)]))
        file = sink._outbox._file
        assert file is not None
        file._connection.execute("PRAGMA max_page_count = 1")
        for seq in range(2, 200):
            sink.write(make_item(0, events=[make_event(seq, "update")]))
        assert "disk is full" in (sink.publisher.disk_error or "")
        sink.write(make_item(0, events=[make_event(200, "end")]))
    entries: list[tuple[bytes, dict[bytes, bytes]]] = client.xrange(STREAM)  # type: ignore[assignment]
    numbers = [decode_event(fields[b"event"]).seq for _, fields in entries]
    assert numbers == list(range(1, 201))
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_the_run_ends_what_it_left_open(
    server: str, client: redis.Redis, tmp_path: Path
) -> None:
    with (
        pytest.raises(ZeroDivisionError),
        deliver_events(server, section(server), tmp_path, "run", threading.Event()) as sink,
    ):
        sink.write(make_item(0, events=[make_event(1, "start")]))
        raise ZeroDivisionError
    entries: list[tuple[bytes, dict[bytes, bytes]]] = client.xrange(STREAM)  # type: ignore[assignment]
    newest = decode_event(entries[-1][1][b"event"])
    assert (newest.kind, newest.seq) == ("end", 2)
