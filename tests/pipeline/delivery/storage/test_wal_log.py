"""Commits that SQLite passes over in its log are counted, and nothing else is."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from pipeline.delivery.storage.outbox_file import files_of
from pipeline.delivery.storage.wal_log import unread_commits

FRAME = 24 + 4096


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Ten commits of one frame each, as a killed process leaves them: nothing is checkpointed."""
    path, copies = tmp_path / "a.db", tmp_path / "copies"
    copies.mkdir()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE t (x)")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        for number in range(10):
            connection.execute("INSERT INTO t VALUES (?)", (number,))
        for file in files_of(path):
            shutil.copyfile(file, copies / file.name)
    return copies / "a.db"


def read(database: Path) -> tuple[int, int]:
    """Return the rows that SQLite finds and the commits that it does not read."""
    with closing(sqlite3.connect(database)) as connection:
        (rows,) = connection.execute("SELECT count(*) FROM t").fetchone()
        return rows, unread_commits(database)


def log_of(database: Path) -> Path:
    return database.with_name("a.db-wal")


def flip(database: Path, offset: int) -> None:
    content = bytearray(log_of(database).read_bytes())
    content[offset] ^= 4
    log_of(database).write_bytes(content)


def test_a_whole_log_is_read_to_its_end(database: Path) -> None:
    assert log_of(database).stat().st_size == 32 + 10 * FRAME
    assert read(database) == (10, 0)


@pytest.mark.parametrize("frame", [0, 4, 9])
def test_what_is_behind_a_flipped_bit_is_counted(database: Path, frame: int) -> None:
    flip(database, 32 + frame * FRAME + 1000)
    assert read(database) == (frame, 10 - frame)


@pytest.mark.parametrize("byte", [0, 8, 12, 17, 21, 25, 31])
def test_a_flipped_bit_in_its_header_is_found(database: Path, byte: int) -> None:
    flip(database, byte)
    assert read(database) == (0, 10)


def test_a_write_that_was_not_finished_is_no_loss(database: Path) -> None:
    with log_of(database).open("r+b") as file:
        file.truncate(32 + 9 * FRAME + 1000)
    assert read(database) == (9, 0)


def test_leftovers_of_an_earlier_log_are_none(database: Path) -> None:
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("PRAGMA wal_checkpoint(RESTART)")
        connection.execute("INSERT INTO t VALUES (99)")
        assert log_of(database).stat().st_size == 32 + 10 * FRAME
        assert unread_commits(database) == 0


def test_without_a_log_nothing_is_unread(tmp_path: Path) -> None:
    assert unread_commits(tmp_path / "a.db") == 0
