"""Whose events are whose: living runs keep theirs, dead ones are taken over."""

from __future__ import annotations

import errno
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from pipeline.delivery.storage.outbox import Outbox
from pipeline.delivery.storage.outbox_folder import open_outboxes
from pipeline.errors import OutboxError
from pipeline.events import decode_event
from tests.conftest import REPOSITORY
from tests.pipeline.decided_items import make_camera_event, make_event

MB = 2**20

LEAVES_EVENTS = """
import os, signal, sys, time
from pathlib import Path
from pipeline.delivery.storage.outbox_folder import open_outboxes
from tests.pipeline.decided_items import make_camera_event, make_event
with open_outboxes(Path(sys.argv[1]), "run", "here", max_bytes=2**20) as (_, own):
    own.append([make_camera_event(1), make_event(2)])
    print("written", flush=True)
    time.sleep(600)
"""


def start_run(folder: Path) -> subprocess.Popen[bytes]:
    arguments = [sys.executable, "-c", LEAVES_EVENTS, str(folder)]
    run = subprocess.Popen(arguments, cwd=REPOSITORY, stdout=subprocess.PIPE)
    assert run.stdout is not None
    assert run.stdout.readline() == b"written\n"
    return run


def kill(run: subprocess.Popen[bytes]) -> None:
    os.kill(run.pid, signal.SIGKILL)
    run.communicate()


def test_a_run_that_died_is_taken_over_with_what_it_left_open(tmp_path: Path) -> None:
    kill(start_run(tmp_path))
    with open_outboxes(tmp_path, "next", "here", max_bytes=MB) as (left, own):
        assert own is not None
        (box,) = left
        kinds = [decode_event(row.text).kind for row in box.after(0, 9)]
        assert kinds == ["camera_up", "start"]
        assert box.unfinished == 2  # their ends follow behind what Redis has, see publisher
        assert own.waiting == 0


def test_a_run_that_lives_keeps_its_events(tmp_path: Path) -> None:
    run = start_run(tmp_path)
    try:
        with open_outboxes(tmp_path, "next", "here", max_bytes=MB) as (left, _):
            assert left == []
    finally:
        kill(run)


def test_events_for_another_server_stay_unless_all_are_asked_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kill(start_run(tmp_path))
    with open_outboxes(tmp_path, None, "elsewhere", max_bytes=MB) as (left, own):
        assert (left, own) == ([], None)
    assert "events for here, not for elsewhere" in caplog.text
    with open_outboxes(tmp_path, None, "elsewhere", max_bytes=MB, any_target=True) as (left, _):
        assert len(left) == 1


def test_older_runs_come_first(tmp_path: Path) -> None:
    for age, name in enumerate(["c", "a", "b"]):
        with Outbox(tmp_path / f"{name}.outbox", target="here") as box:
            box.append([make_event(1, run_id=name)])
        os.utime(tmp_path / f"{name}.outbox", (1000 + age, 1000 + age))
    with open_outboxes(tmp_path, None, "here", max_bytes=MB) as (left, _):
        assert [box.path.stem for box in left] == ["c", "a", "b"]


def test_a_damaged_outbox_is_kept_aside_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "old.outbox").write_bytes(b"x" * 5000)
    with open_outboxes(tmp_path, "next", "here", max_bytes=MB) as (left, own):
        assert left == []
        assert own is not None
        own.append([make_event(1)])
    assert "is kept as old.outbox.damaged" in caplog.text
    assert (tmp_path / "old.outbox.damaged").read_bytes() == b"x" * 5000


@pytest.mark.parametrize(
    "error",
    [
        OutboxError("cannot keep events in old.outbox: database or disk is full"),
        OSError(errno.EIO, "Input/output error"),
    ],
)
def test_an_outbox_that_cannot_be_opened_now_stays_where_it_is(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    path = tmp_path / "old.outbox"
    with Outbox(path, target="here") as box:
        box.append([make_event(1)])

    def refuse(*arguments: object, **options: object) -> Outbox:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr("pipeline.delivery.storage.outbox_folder.Outbox", refuse)
        with open_outboxes(tmp_path, None, "here", max_bytes=MB) as (left, _):
            assert left == []
    assert "old.outbox cannot be opened now" in caplog.text
    assert not list(tmp_path.glob("*.damaged*"))
    with open_outboxes(tmp_path, None, "here", max_bytes=MB) as (left, _):
        assert [box.waiting for box in left] == [1]


def test_a_locked_outbox_stays_where_it_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.delivery.storage.outbox_file._BUSY_S", 0.01)
    path = tmp_path / "old.outbox"
    with Outbox(path, target="here") as box:
        box.append([make_event(1)])
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with open_outboxes(tmp_path, None, "here", max_bytes=MB) as (left, _):
            assert left == []
        assert "old.outbox cannot be opened now" in caplog.text
        assert "database is locked" in caplog.text
        other.execute("ROLLBACK")
    with open_outboxes(tmp_path, None, "here", max_bytes=MB) as (left, _):
        assert [box.waiting for box in left] == [1]


def test_a_folder_that_may_not_be_written_is_an_error_before_anything_runs(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with (
        pytest.raises(OutboxError, match=r"file/outbox: (File exists|Not a directory)"),
        open_outboxes(file / "outbox", "run", "here", max_bytes=MB),
    ):
        pytest.fail("it began")


def test_a_run_begins_although_the_disk_is_full(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    folder = tmp_path / "outbox"
    with monkeypatch.context() as patched:
        patched.setattr("pipeline.delivery.storage.outbox_folder.make_private_folder", refuse)
        with open_outboxes(folder, "run", "here", max_bytes=MB) as (_, own):
            assert own is not None
            own.append([make_event(1)])
            assert [row.seq for row in own.after(0, 9)] == [1]
            own.delivered_id = 1
    assert "No space left on device; events are delivered from memory" in caplog.text


def test_a_run_that_never_began_leaves_nothing_behind(tmp_path: Path) -> None:
    with (
        pytest.raises(ZeroDivisionError),
        open_outboxes(tmp_path, "run", "here", max_bytes=MB),
    ):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_what_was_delivered_leaves_nothing_behind(tmp_path: Path) -> None:
    kill(start_run(tmp_path))
    with open_outboxes(tmp_path, "next/with:odd name", "here", max_bytes=MB) as (left, own):
        assert own is not None
        own.append([make_camera_event(1)])
        for box in (*left, own):
            box.remove()
    assert list(tmp_path.iterdir()) == []


def test_outboxes_are_for_their_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "outbox"
    before = os.umask(0)
    try:
        with open_outboxes(folder, "run", "here", max_bytes=MB) as (_, own):
            assert own is not None
            own.append([make_event(1)])
            files = list(folder.iterdir())
            assert {path.suffix for path in files} >= {".outbox", ".outbox-wal", ".outbox-shm"}
            assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
            assert folder.stat().st_mode & 0o777 == 0o700
    finally:
        os.umask(before)


def test_those_of_an_earlier_release_are_closed_in_a_folder_that_is_not(tmp_path: Path) -> None:
    with open_outboxes(tmp_path, "run", "here", max_bytes=MB) as (_, own):
        assert own is not None
        own.append([make_event(1)])
    for path in tmp_path.glob("*.outbox*"):
        path.chmod(0o644)
    tmp_path.chmod(0o755)
    with open_outboxes(tmp_path, None, "here", max_bytes=MB) as (left, _):
        assert len(left) == 1
        assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    assert tmp_path.stat().st_mode & 0o777 == 0o755
