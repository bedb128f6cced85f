"""What an outbox stores is synced soon, whatever the rate of events."""

from __future__ import annotations

import errno
import threading
import time
from pathlib import Path

import pytest

from pipeline.delivery.storage import disk_sync
from pipeline.delivery.storage.disk_sync import INTERVAL_S, DiskSync
from pipeline.delivery.storage.outbox import Outbox
from tests.pipeline.decided_items import make_event


class Syncs:
    """Records the syncs of a thread instead of making them."""

    def __init__(self) -> None:
        self.paths: list[Path] = []
        self.changed = threading.Condition()
        self.error: OSError | None = None

    def __call__(self, path: Path) -> None:
        with self.changed:
            self.paths.append(path)
            self.changed.notify_all()
            if self.error is not None:
                raise self.error

    def wait_for(self, count: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.paths) >= count, 60.0)


@pytest.fixture
def syncs(monkeypatch: pytest.MonkeyPatch) -> Syncs:
    syncs = Syncs()
    monkeypatch.setattr(disk_sync, "sync_outbox", syncs)
    return syncs


def test_the_promised_second_is_kept() -> None:
    assert INTERVAL_S < 1.0


def test_every_stored_event_is_followed_by_a_sync(tmp_path: Path, syncs: Syncs) -> None:
    with Outbox(tmp_path / "a.outbox") as outbox:
        outbox.append([make_event(1)])
        syncs.wait_for(1)
        outbox.append([make_event(2)])
        syncs.wait_for(2)
        time.sleep(0.01)
        done = len(syncs.paths)
    syncs.wait_for(done + 1)  # closing it is a sync, too
    assert set(syncs.paths) == {tmp_path / "a.outbox"}


def test_without_events_nothing_is_synced(tmp_path: Path, syncs: Syncs) -> None:
    with Outbox(tmp_path / "a.outbox"):
        pass
    assert syncs.paths == []


def test_the_log_is_what_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(
        disk_sync.os, "fdatasync", lambda fd: synced.append(disk_sync.os.fstat(fd).st_ino)
    )
    with Outbox(tmp_path / "a.outbox") as outbox:
        outbox.append([make_event(1)])
        disk_sync.sync_outbox(outbox.path)
        assert (tmp_path / "a.outbox-wal").stat().st_ino in synced


def test_a_disk_that_cannot_be_synced_is_named_once(
    tmp_path: Path, syncs: Syncs, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk_sync, "INTERVAL_S", 0.0)
    syncs.error = OSError(errno.EIO, "Input/output error")
    sync = DiskSync(tmp_path / "a.outbox")
    for count in (1, 2, 3):
        sync.written()
        syncs.wait_for(count)
    sync.close()
    assert caplog.text.count("a.outbox cannot be synced to disk: Input/output error") == 1
