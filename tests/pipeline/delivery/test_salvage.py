"""One flipped bit anywhere in an outbox: named, and never delivered as true."""

from __future__ import annotations

import logging
import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from pipeline.delivery.outbox import Outbox
from pipeline.delivery.outbox_folder import open_outboxes
from tests.pipeline.decided_items import make_event
from tests.pipeline.delivery.bit_flips import MB, flip_bit, read_all, write_outbox

FLIPS = 12  # of each kind of file; `python -m benchmarks.outbox_damage` tries thousands


@pytest.mark.parametrize("kind", ["log", "database"])
def test_a_flipped_bit_is_named_and_never_delivered_as_true(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    copies = tmp_path / "copies"
    texts = write_outbox(tmp_path / "run-a1.outbox", copies, events=120)
    database = copies / "run-a1.outbox"
    if kind == "database":
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for seed in range(FLIPS):
        caplog.clear()
        folder = tmp_path / f"flip-{seed}"
        shutil.copytree(copies, folder)
        target = "run-a1.outbox-wal" if kind == "log" else "run-a1.outbox"
        where = flip_bit([folder / target], random.Random(seed))
        found = read_all(folder)
        numbers = [(row.origin, row.seq) for row in found]
        assert len(set(numbers)) == len(numbers), where
        # Ends are made for what is open; behind a broken log they may have the numbers of events
        # that are lost, which the publisher takes from Redis.
        changed = [row for row in found if texts.get((row.origin, row.seq), row.text) != row.text]
        assert all('"interrupted"' in row.text for row in changed), where
        errors = [record for record in caplog.records if record.levelno == logging.ERROR]
        assert errors or not texts.keys() - set(numbers), where
        assert all("run-a1.outbox" in error.getMessage() for error in errors)


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
