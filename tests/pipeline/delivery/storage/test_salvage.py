"""One flipped bit anywhere in an outbox: named, and never delivered as true."""

from __future__ import annotations

import logging
import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks.chaos_disk import flip_bit
from benchmarks.outbox_damage import NAME, find_wrong, read_all, write_outbox
from pipeline.delivery.storage.outbox import Outbox
from pipeline.delivery.storage.outbox_folder import open_outboxes
from pipeline.delivery.storage.salvage import RescuedRows, rescue_log
from pipeline.events import encode_event
from tests.pipeline.decided_items import make_event, stored

MB = 2**20
KINDS = ("start", "update", "end")
FLIPS = 12  # of each kind of file; `python -m benchmarks.outbox_damage` tries thousands


@pytest.mark.parametrize("in_database", [False, True])
def test_a_flipped_bit_is_named_and_never_delivered_as_true(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, in_database: bool
) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    texts = write_outbox(whole, 120, in_database=in_database)
    for seed in range(FLIPS):
        caplog.clear()
        folder = tmp_path / f"flip-{seed}"
        shutil.copytree(whole, folder)
        where = flip_bit(folder / NAME, random.Random(seed))
        found = read_all(folder)
        errors = [record for record in caplog.records if record.levelno == logging.ERROR]
        assert find_wrong(texts, found, len(errors)) == "", where
        assert all("run-a1.outbox" in error.getMessage() for error in errors)


def test_what_is_whole_behind_the_break_of_a_log_is_rescued(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    texts = write_outbox(tmp_path, 60, in_database=False)
    log = tmp_path / "run-a1.outbox-wal"
    content = bytearray(log.read_bytes())
    content[len(content) // 2] ^= 8
    log.write_bytes(content)
    with open_outboxes(tmp_path, None, "here", max_bytes=MB) as (left, _):
        (box,) = left
        rows = {(row.origin, row.seq): row.text for row in box.after(0, 99)}
        assert len(rows.items() & texts.items()) >= 59
        assert rows.items() <= texts.items()
        assert box.numbers() == {"run/gate": 30, "run/yard": 30}
        assert box.unfinished == 4
        assert box.interrupt() == 4
        assert [row.seq for row in box.after(box.last_id - 4, 9)] == [31, 31, 32, 32]
    assert "its log breaks off before its end" in caplog.text
    assert not list(tmp_path.glob(".rescue-*"))


def test_a_torn_write_behind_the_break_of_a_log_is_no_damage(tmp_path: Path) -> None:
    texts = write_outbox(tmp_path, 60, in_database=False)
    log = tmp_path / "run-a1.outbox-wal"
    content = bytearray(log.read_bytes())
    content[len(content) // 2] ^= 8
    newest = max(content.rfind(text.encode()) for text in texts.values())
    content[newest + 9] ^= 8
    log.write_bytes(content)
    with open_outboxes(tmp_path, None, "here", max_bytes=MB) as (left, _):
        rows = left[0].after(0, 99)
        assert [row.id for row in rows] == list(range(1, len(rows) + 1))
        assert len(rows) > 30  # more than SQLite reads
    assert (tmp_path / "run-a1.outbox-wal.broken").exists()
    assert not list(tmp_path.glob("*.quarantine"))


def test_a_record_whose_values_are_not_what_was_written_is_not_taken_over(tmp_path: Path) -> None:
    write_outbox(tmp_path, 12, in_database=True)
    path = tmp_path / "run-a1.outbox"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        changed = connection.execute("UPDATE unfinished SET text = x'07', checksum = NULL")
        assert changed.rowcount == 4
        found = rescue_log(path, 12)
    assert found.unfinished == {}


def test_only_an_event_says_that_something_ended_behind_a_break() -> None:
    started, updated, ended = (make_event(seq, kind) for seq, kind in enumerate(KINDS, 1))
    before = {started.interval_id: encode_event(started)}
    assert RescuedRows([], {}).changes == {}
    assert RescuedRows([stored(updated)], before).changes == {
        started.interval_id: encode_event(updated)
    }
    assert RescuedRows([stored(updated), stored(ended)], before).changes == {
        started.interval_id: None
    }


def test_a_log_whose_database_is_empty_is_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_outbox(tmp_path, 20, in_database=False)
    (tmp_path / "run-a1.outbox").write_bytes(b"")
    before = (tmp_path / "run-a1.outbox-wal").read_bytes()
    assert read_all(tmp_path) == []
    assert "it is empty, its log is not" in caplog.text
    assert (tmp_path / "run-a1.outbox.damaged-wal").read_bytes() == before


def test_a_file_that_is_damaged_during_a_run_is_replaced_by_what_is_whole_in_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "run-a1.outbox"
    with Outbox(path, target="here") as outbox:
        outbox.append([make_event(seq, "update") for seq in range(1, 401)])
        assert outbox._file is not None
        outbox._file._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (root,) = outbox._file._connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'by_origin'"
        ).fetchone()
        with path.open("r+b") as file:  # the index: every event is still whole
            file.seek(4096 * (root - 1))
            file.write(b"\xff" * 4096)
        outbox._file._connection.execute("PRAGMA shrink_memory")
        outbox.append([make_event(401)])
        outbox.append([make_event(402)])
        assert [row.seq for row in outbox.after(0, 999)] == list(range(1, 403))
        assert outbox.numbers() == {"run/gate": 402}
    assert "400 of its events are whole" in caplog.text
    assert path.with_name("run-a1.outbox.damaged").exists()
    with open_outboxes(tmp_path, None, "here", max_bytes=MB) as (left, _):
        assert [(box.waiting, box.unfinished, box.target) for box in left] == [(402, 1, "here")]
