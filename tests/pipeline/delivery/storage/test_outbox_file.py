"""The file of an outbox: records that are not what was written are found, older files are read."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pipeline.delivery.storage.outbox import Outbox
from pipeline.delivery.storage.outbox_file import OutboxFile
from pipeline.delivery.storage.quarantine import quarantine_of
from pipeline.errors import OutboxDamagedError, OutboxError
from pipeline.events import encode_event
from tests.pipeline.decided_items import make_camera_event, make_event

# As version 0.2.0 made it.
VERSION_1 = """
CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT, origin TEXT NOT NULL, prev INTEGER NOT NULL,
    seq INTEGER NOT NULL, is_update INTEGER NOT NULL, kept_since REAL NOT NULL, text TEXT NOT NULL
);
CREATE INDEX by_origin ON events (origin, seq);
CREATE INDEX updates ON events (id) WHERE is_update;
CREATE TABLE origins (origin TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE target (name TEXT NOT NULL);
CREATE TABLE unfinished (what TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID;
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """An outbox with three events, closed."""
    path = tmp_path / "run-a1.outbox"
    with Outbox(path, target="here") as outbox:
        outbox.append([make_camera_event(1), make_event(2), make_event(3, instance_id="b")])
    return path


def change(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute(statement).rowcount == 1


@pytest.fixture
def errors(caplog: pytest.LogCaptureFixture) -> Iterator[list[logging.LogRecord]]:
    yield caplog.records


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET text = replace(text, 'walking', 'walkinf') WHERE id = 2",
        "UPDATE events SET text = CAST(x'ff' || text AS TEXT) WHERE id = 2",
        "UPDATE events SET seq = 34 WHERE id = 2",
        "UPDATE events SET origin = 'run/gatf' WHERE id = 2",
        "UPDATE events SET prev = 'x' WHERE id = 2",
        "UPDATE events SET checksum = NULL WHERE id = 2",
        "UPDATE events SET id = 18 WHERE id = 2",
    ],
)
def test_a_record_that_was_not_written_so_is_set_aside_and_named(
    path: Path, caplog: pytest.LogCaptureFixture, statement: str
) -> None:
    change(path, statement)
    with Outbox(path) as outbox:
        assert [row.seq for row in outbox.after(0, 1)] == [1]
        assert [row.seq for row in outbox.after(1, 9)] == [3]
        assert outbox.after(3, 9) == []
        assert outbox.waiting == 0
        assert outbox.after(0, 9)[-1].seq == 3  # read again, reported once
        assert outbox.next_of("run/gate", 1) == outbox.after(1, 9)[0]
    (line,) = quarantine_of(path).read_text().splitlines()
    record = json.loads(line)
    assert (record["table"], record["reason"]) == ("events", "its checksum does not match")
    (error,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "run-a1.outbox.quarantine" in error.getMessage()


def test_a_changed_number_is_taken_from_the_events_instead(path: Path) -> None:
    change(path, "UPDATE origins SET seq = 1")
    with Outbox(path) as outbox:
        assert outbox.numbers() == {"run/gate": 3}


def test_a_changed_open_action_is_not_ended_as_another_one(path: Path) -> None:
    change(path, "UPDATE unfinished SET text = replace(text, 'walking', 'x') WHERE what = 'b'")
    with Outbox(path) as outbox:
        assert outbox.interrupt() == 2
    assert "walking" not in quarantine_of(path).read_text()


def test_a_quarantine_that_cannot_be_written_is_named_and_nothing_is_delivered(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    change(path, "UPDATE events SET seq = 34 WHERE id = 2")
    quarantine_of(path).mkdir()
    with Outbox(path) as outbox:
        assert [row.seq for row in outbox.after(0, 9)] == [1, 3]
    assert "cannot be kept in" in caplog.text


def test_an_outbox_of_an_older_version_is_delivered_and_its_actions_ended(tmp_path: Path) -> None:
    path = tmp_path / "old.outbox"
    texts = [encode_event(make_camera_event(1)), encode_event(make_event(2))]
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(VERSION_1)
        connection.execute("PRAGMA journal_mode = WAL")
        for seq, text in enumerate(texts, 1):
            row = (seq + 6, "run/gate", seq - 1, seq, 0, 5.0, text)
            connection.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        connection.execute("INSERT INTO origins VALUES ('run/gate', 2)")
        connection.execute("INSERT INTO target VALUES ('there')")
        connection.execute("INSERT INTO unfinished VALUES ('gate-run-a1', ?)", (texts[1],))
    for _ in range(2):  # converted once
        with Outbox(path) as outbox:
            rows = outbox.after(0, 9)
            assert [(row.id, row.prev, row.text) for row in rows] == [
                (7, 0, texts[0]),
                (8, 1, texts[1]),
            ]
            assert (outbox.target, outbox.unfinished, outbox.set_aside) == ("there", 1, 0)
    with Outbox(path) as outbox:
        assert outbox.interrupt() == 1
        assert [row.seq for row in outbox.after(8, 9)] == [3]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET seq = 3",
        "UPDATE events SET origin = 'run/gatf'",
        "UPDATE events SET text = replace(text, '{', '[')",
        "UPDATE events SET text = CAST(replace(text, 'walking', x'ff') AS TEXT)",
        "UPDATE events SET text = '7'",
    ],
)
def test_a_record_of_an_older_version_that_contradicts_itself_is_set_aside(
    tmp_path: Path, statement: str
) -> None:
    path = tmp_path / "old.outbox"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(VERSION_1)
        row = (1, "run/gate", 0, 1, 0, 5.0, encode_event(make_event(1)))
        connection.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    change(path, statement)
    with Outbox(path) as outbox:
        assert outbox.after(0, 9) == []
        assert outbox.set_aside == 1


@pytest.mark.parametrize("content", [b"x" * 5000, b"SQLite format 3\0" + b"x" * 5000])
def test_what_is_no_database_is_damage(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "run.outbox"
    path.write_bytes(content)
    with pytest.raises(OutboxDamagedError, match=r"run\.outbox: "):
        OutboxFile(path)


def test_what_may_pass_is_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "run.outbox"
    path.mkdir()
    with pytest.raises(OutboxError, match="unable to open") as failure:
        OutboxFile(path)
    assert not isinstance(failure.value, OutboxDamagedError)
