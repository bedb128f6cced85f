"""Events on disk: whole, in order, still there after a kill, and within their allowance."""

from __future__ import annotations

import errno
import logging
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pipeline.delivery.storage.outbox import Outbox
from pipeline.errors import OutboxError
from pipeline.events import Event, decode_event
from testbed.clock import Clock
from tests.conftest import REPOSITORY
from tests.pipeline.decided_items import make_camera_event, make_event


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def outbox(tmp_path: Path, clock: Clock) -> Iterator[Outbox]:
    with Outbox(tmp_path / "run.outbox", now=clock) as outbox:
        yield outbox


def events_of(outbox: Outbox, after: int = 0) -> list[Event]:
    return [decode_event(row.text) for row in outbox.after(after, 10_000)]


def test_events_come_out_in_the_order_in_which_they_were_added(outbox: Outbox) -> None:
    events = [make_event(1), make_event(1, camera_id="yard"), make_event(2), make_event(3)]
    outbox.append(events[:3])
    outbox.append(events[3:])
    outbox.append([])
    rows = outbox.after(0, 100)
    assert [decode_event(row.text) for row in rows] == events
    assert [(row.origin, row.prev, row.seq) for row in rows] == [
        ("run/gate", 0, 1),
        ("run/yard", 0, 1),
        ("run/gate", 1, 2),
        ("run/gate", 2, 3),
    ]
    assert outbox.after(rows[1].id, 1) == [rows[2]]
    assert outbox.waiting == 4


def test_a_killed_process_loses_nothing_that_was_appended(tmp_path: Path) -> None:
    path = tmp_path / "run.outbox"
    code = f"""
import os, signal
from pathlib import Path
from pipeline.delivery.storage.outbox import Outbox
from tests.pipeline.decided_items import make_event
outbox = Outbox(Path({str(path)!r}))
for seq in range(1, 101):
    outbox.append([make_event(seq)])
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY)
    assert done.returncode == -signal.SIGKILL
    with Outbox(path) as outbox:
        assert [event.seq for event in events_of(outbox)] == list(range(1, 101))
        outbox.append([make_event(101)])
        assert outbox.after(100, 1)[0].prev == 100


def test_either_all_of_an_items_events_are_kept_or_none(outbox: Outbox) -> None:
    outbox.append([make_event(1)])
    unwritable = make_event(3).model_copy(update={"score": float("nan")})
    with pytest.raises(ValueError, match="JSON"):
        outbox.append([make_event(2), unwritable])
    outbox.append([make_event(2)])
    assert [(row.prev, row.seq) for row in outbox.after(0, 9)] == [(0, 1), (1, 2)]


def test_what_was_open_is_ended_as_interrupted(outbox: Outbox) -> None:
    walk = make_event(2, instance_id="walk", action="walk")
    outbox.append([make_camera_event(1), walk, make_event(3, instance_id="hug")])
    outbox.append([make_event(4, "update", instance_id="walk", action="walk", score=0.5)])
    outbox.append([make_event(5, "end", instance_id="hug", end_reason="track_ended")])
    assert outbox.interrupt() == 2
    end, down = events_of(outbox, after=5)
    assert end == walk.model_copy(
        update={
            "kind": "end",
            "seq": 6,
            "event_id": "run/gate/6",
            "score": 0.5,
            "end_reason": "interrupted",
        }
    )
    assert down.kind == "camera_down"
    assert (down.seq, down.reason) == (7, "interrupted")
    assert outbox.interrupt() == 0


def test_what_ended_in_order_is_not_interrupted(outbox: Outbox) -> None:
    outbox.append([make_camera_event(1), make_event(2), make_event(3, "end")])
    outbox.append([make_camera_event(4, "camera_down", reason="stream_ended")])
    assert outbox.interrupt() == 0


def test_the_next_event_of_a_camera_is_found_by_its_number(outbox: Outbox) -> None:
    outbox.append([make_event(1), make_event(1, camera_id="yard"), make_event(2)])
    found = outbox.next_of("run/gate", 1)
    assert found is not None
    assert (found.id, found.seq) == (3, 2)
    assert outbox.next_of("run/gate", 2) is None
    assert outbox.next_of("run/nowhere", 0) is None


def test_delivered_events_stay_for_a_while_after_their_delivery(
    tmp_path: Path, clock: Clock
) -> None:
    with Outbox(tmp_path / "a", monotonic=clock) as outbox:
        outbox.append([make_event(seq) for seq in (1, 2, 3, 4)])
        clock.now += 3600  # of an outage
        outbox.delivered_id = 2
        clock.now += 50
        outbox.delivered_id = 3
        assert outbox.waiting == 1
        outbox.forget(after_s=60)
        assert [event.seq for event in events_of(outbox)] == [1, 2, 3, 4]
        clock.now += 20
        outbox.forget(after_s=60)
        assert [event.seq for event in events_of(outbox)] == [3, 4]
        outbox.delivered_id = 2  # the server has lost number 3
        clock.now += 100
        outbox.forget(after_s=60)
        assert [event.seq for event in events_of(outbox)] == [3, 4]
        outbox.delivered_id = 3
        clock.now += 100
        outbox.forget(after_s=60)
        assert [event.seq for event in events_of(outbox)] == [4]  # never what is not delivered


def test_row_numbers_are_never_used_twice(tmp_path: Path) -> None:
    with Outbox(tmp_path / "a") as outbox:
        outbox.append([make_event(1), make_event(2)])
        outbox.delivered_id = 2
        outbox.forget(after_s=-1.0)
    with Outbox(tmp_path / "a") as outbox:
        outbox.append([make_event(3)])
        assert [row.id for row in outbox.after(2, 9)] == [3]


def fill(outbox: Outbox, count: int, kind: str = "update", first: int = 1) -> None:
    for start in range(first, first + count, 100):
        outbox.append([make_event(seq, kind) for seq in range(start, start + 100)])


def test_beyond_its_allowance_the_oldest_updates_go_first(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Outbox(tmp_path / "a", max_bytes=2_000_000) as outbox:
        outbox.append([make_event(1, "start"), make_event(2, "end")])
        fill(outbox, 10_000, first=3)
        kept = events_of(outbox)
        assert [event.kind for event in kept[:2]] == ["start", "end"]
        assert outbox.dropped > 0
        assert len(kept) + outbox.dropped == 10_002
        seqs = [event.seq for event in kept[2:]]
        assert seqs == list(range(10_003 - len(seqs), 10_003))  # the newest, without a gap
        assert outbox.after(2, 1)[0].prev == seqs[0] - 1
    assert sum(map(len_of, tmp_path.iterdir())) < 8_000_000  # with SQLite's log
    assert "events wait for Redis and take" in caplog.text
    assert "oldest updates are dropped" in caplog.text


def len_of(path: Path) -> int:
    return path.stat().st_size


def test_starts_and_ends_are_given_up_last_and_loudly(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Outbox(tmp_path / "a", max_bytes=500_000) as outbox:
        fill(outbox, 3000, kind="start")
        assert outbox.dropped > 0
        assert events_of(outbox)[-1].seq == 3000
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "events of any kind are dropped" in errors[0].getMessage()


def test_what_redis_has_makes_room_before_anything_is_given_up(tmp_path: Path) -> None:
    with Outbox(tmp_path / "a", max_bytes=500_000) as outbox:
        for batch in range(50):
            fill(outbox, 100, first=1 + 100 * batch)
            outbox.delivered_id = 100 * batch
        assert outbox.dropped == 0


def test_waiting_ends_at_what_is_there_when_events_were_given_up(tmp_path: Path) -> None:
    with Outbox(tmp_path / "a", max_bytes=500_000) as outbox:
        fill(outbox, 3000)
        newest = outbox.after(0, 10_000)[-1].id
        outbox.delivered_id = newest
        assert outbox.after(newest, 1) == []
        assert outbox.waiting == 0


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "run.outbox"
    path.write_bytes(b"x" * 5000)
    with pytest.raises(OutboxError, match=r"run\.outbox: file is not a database"):
        Outbox(path)


def set_full(outbox: Outbox, is_full: bool) -> None:
    """A page count that is used up is what SQLite calls a full disk."""
    assert outbox._file is not None
    pages = 1 if is_full else 1_000_000
    outbox._file._connection.execute(f"PRAGMA max_page_count = {pages}")


def test_a_full_disk_is_passed_and_the_events_reach_it_when_it_has_room(
    tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    with Outbox(tmp_path / "run.outbox", now=clock, monotonic=clock) as outbox:
        outbox.append([make_event(1)])
        set_full(outbox, True)
        fill(outbox, 1000, first=2)
        assert "database or disk is full" in (outbox.disk_error or "")
        assert [event.seq for event in events_of(outbox)] == list(range(1, 1002))
        assert outbox.waiting == 1001
        outbox.delivered_id = 900
        found = outbox.next_of("run/gate", 950)
        assert found is not None
        assert found.seq == 951
        outbox.append([make_event(1002)])  # the disk is not asked again at once
        assert outbox.disk_error is not None
        set_full(outbox, False)
        clock.now += 60.0
        outbox.append([make_event(1003)])
        assert outbox.disk_error is None
        assert [event.seq for event in events_of(outbox)] == list(range(1, 1004))
        assert [row.prev for row in outbox.after(1000, 9)] == [1000, 1001, 1002]
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 1
    assert "delivered from memory" in errors[0].getMessage()
    assert "can be written again" in caplog.text
    with Outbox(tmp_path / "run.outbox") as outbox:
        assert [event.seq for event in events_of(outbox)] == list(range(1, 1004))
        assert outbox.unfinished == 1


def test_while_neither_disk_nor_redis_takes_events_the_oldest_updates_go_first(
    tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "run.outbox"
    with Outbox(path, max_memory_bytes=200_000, now=clock, monotonic=clock) as outbox:
        set_full(outbox, True)
        outbox.append([make_event(1, "start"), make_event(2, "end")])
        fill(outbox, 1000, first=3)
        kept = events_of(outbox)
        assert [event.kind for event in kept[:2]] == ["start", "end"]
        assert outbox.dropped == 1002 - len(kept) > 0
        assert [event.seq for event in kept[2:]] == list(range(1005 - len(kept), 1003))
        outbox.delivered_id = outbox._last_id
        clock.now += 1.0
        outbox.forget(after_s=0.5)
        assert len(outbox.after(2, 9)) == 0
    assert "oldest updates are dropped" in caplog.text


def test_what_a_full_disk_lacks_at_the_end_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    outbox = Outbox(tmp_path / "run.outbox")
    set_full(outbox, True)
    fill(outbox, 100)
    outbox._return_to_disk = lambda: False  # type: ignore[method-assign]
    outbox.close()
    assert "100 events that only the memory has are lost" in caplog.text


def test_a_disk_that_takes_no_file_delays_the_file_only(
    tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    disk_error: list[OSError] = [OSError(errno.ENOSPC, "No space left on device")]

    def prepare() -> None:
        if disk_error:
            raise disk_error[0]

    path = tmp_path / "run.outbox"
    with pytest.raises(OutboxError, match="No space left"):
        Outbox(path, prepare=prepare)
    box = Outbox(path, target="here", prepare=prepare, tolerant=True, now=clock, monotonic=clock)
    with box as outbox:
        outbox.append([make_camera_event(1), make_event(2)])
        assert [event.seq for event in events_of(outbox)] == [1, 2]
        assert outbox.disk_error is not None
        disk_error.clear()
        clock.now += 60.0
        outbox.append([make_event(3)])
        assert outbox.disk_error is None
    with Outbox(path) as outbox:
        assert [event.seq for event in events_of(outbox)] == [1, 2, 3]
        assert (outbox.target, outbox.unfinished) == ("here", 2)


def test_another_program_that_locks_the_file_does_not_stop_the_run(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.delivery.storage.outbox_file._BUSY_S", 0.01)
    path = tmp_path / "run.outbox"
    with Outbox(path, now=clock, monotonic=clock) as outbox:
        outbox.append([make_event(1)])
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            outbox.append([make_event(2)])
            assert "locked" in (outbox.disk_error or "")
            assert [event.seq for event in events_of(outbox)] == [1, 2]
            other.execute("ROLLBACK")
        clock.now += 60.0
        outbox.append([make_event(3)])
        assert outbox.disk_error is None
        assert [event.seq for event in events_of(outbox)] == [1, 2, 3]


def test_removing_leaves_nothing_behind(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "run.outbox")
    outbox.append([make_event(1)])
    outbox.remove()
    assert list(tmp_path.iterdir()) == []


def test_it_remembers_for_which_stream_it_was_made(tmp_path: Path) -> None:
    Outbox(tmp_path / "a", target="here events").close()
    with Outbox(tmp_path / "a", target="elsewhere") as outbox:
        assert outbox.target == "here events"


def test_another_program_can_read_it_meanwhile(outbox: Outbox) -> None:
    outbox.append([make_event(1)])
    with sqlite3.connect(outbox.path) as other:
        rows = other.execute("SELECT seq FROM events").fetchall()
    other.close()
    assert rows == [(1,)]


def test_an_event_records_since_when_it_is_kept(outbox: Outbox, clock: Clock) -> None:
    outbox.append([make_event(1)])
    clock.now += 5.0
    outbox.append([make_event(2), make_event(3)])
    assert [row.kept_since for row in outbox.after(0, 9)] == [1000.0, 1005.0, 1005.0]
    found = outbox.next_of("run/gate", 1)
    assert found is not None
    assert found.kept_since == 1005.0
