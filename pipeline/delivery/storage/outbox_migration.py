"""Give an outbox of version 0.2.0 the checksums that its records lack."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

# The columns of which each table's checksum is made; the first one identifies the record.
CHECKED = {
    "events": ("id", "origin", "prev", "seq", "text"),
    "origins": ("origin", "seq"),
    "target": ("name",),
    "unfinished": ("what", "text"),
}
_BATCH = 1000


def checksum(*values: object) -> bytes:
    """Return the checksum of a record: 8 bytes of BLAKE2b over its values."""
    text = "\0".join(map(str, values))
    return hashlib.blake2b(text.encode(errors="surrogateescape"), digest_size=8).digest()


def add_checksums(connection: sqlite3.Connection) -> None:
    """Convert version 1, whose records are taken for whole if they agree with themselves.

    Args:
        connection: within a transaction.
    """
    for table, columns in CHECKED.items():
        with closing(connection.execute(f"PRAGMA table_info({table})")) as found:
            names = {row[1] for row in found}
        if not names or "checksum" in names:
            continue
        connection.execute(f"ALTER TABLE {table} ADD COLUMN checksum BLOB")
        select = f"SELECT {', '.join(columns)} FROM {table}"  # noqa: S608
        update = f"UPDATE {table} SET checksum = ? WHERE {columns[0]} = ?"  # noqa: S608
        for rows in _batches(connection, select, by_id=table == "events"):
            whole = [row for row in rows if table != "events" or _agrees(row)]
            connection.executemany(update, [(checksum(*row), row[0]) for row in whole])


def _batches(
    connection: sqlite3.Connection, select: str, *, by_id: bool
) -> Iterator[list[tuple[Any, ...]]]:
    if not by_id:
        yield connection.execute(select).fetchall()
        return
    last_id = -1
    by_id_query = f"{select} WHERE id > ? ORDER BY id LIMIT ?"
    while rows := connection.execute(by_id_query, (last_id, _BATCH)).fetchall():
        yield rows
        last_id = max(last_id + 1, rows[-1][0])  # a wrong order has an end, too


def _agrees(row: tuple[Any, ...]) -> bool:
    _, origin, _, seq, text = row
    try:
        event = json.loads(text)
        return (f"{event['run_id']}/{event['camera_id']}", event["seq"]) == (origin, seq)
    except (ValueError, KeyError, TypeError):
        return False
