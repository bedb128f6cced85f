"""Flip bits in an outbox that a killed run has left, and look what the next run makes of it.

    python -m benchmarks.outbox_damage [--flips 1000] [--bits 1] [--seed 0]

Half of the outboxes are as a kill leaves them (most is in SQLite's log), half are moved to the
database. No event may be delivered that was not written so, none twice, and what is missing must
be named in the log.
"""

from __future__ import annotations

import logging
import random
import shutil
import sqlite3
import tempfile
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.chaos_disk import flip_bit
from benchmarks.chaos_processes import CameraScript
from pipeline.delivery.storage.outbox import Outbox
from pipeline.delivery.storage.outbox_file import StoredEvent, files_of
from pipeline.delivery.storage.outbox_folder import open_outboxes

NAME = "run-a1.outbox"
_MAX_BYTES = 2**30


def write_outbox(folder: Path, events: int, *, in_database: bool) -> dict[tuple[str, int], str]:
    """Write an outbox and leave it in an empty folder as a killed process does.

    Args:
        folder: of the outbox.
        events: how many.
        in_database: move them from the log of SQLite to its database.

    Returns:
        The texts that were stored, by origin and number.
    """
    with (
        tempfile.TemporaryDirectory() as elsewhere,
        Outbox(Path(elsewhere) / NAME, target="here") as outbox,
    ):
        cameras = [CameraScript("run", name) for name in ("gate", "yard")]
        for number in range(events):
            outbox.append([cameras[number % 2].next_event()])
        rows = outbox.after(0, events)
        for file in files_of(outbox.path):
            shutil.copyfile(file, folder / file.name)
    if in_database:
        with closing(sqlite3.connect(folder / NAME)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return {(row.origin, row.seq): row.text for row in rows}


def read_all(folder: Path) -> list[StoredEvent]:
    """Adopt the outbox in a folder and read it as the publisher does, with the ends it makes.

    Raises:
        RuntimeError: if reading it does not end.
    """
    found: list[StoredEvent] = []
    with open_outboxes(folder, None, "here", max_bytes=_MAX_BYTES, any_target=True) as (left, _):
        for box in left:
            for is_ended in (False, True):
                if is_ended:
                    box.interrupt()
                for _ in range(10_000):
                    rows = box.after(box.delivered_id, 50)
                    if not rows:
                        break
                    found += rows
                    box.delivered_id = rows[-1].id
                else:
                    raise RuntimeError("reading it does not end")
    return found


class ErrorLog(logging.Handler):
    """Counts the errors in the log."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.errors = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Count a record."""
        self.errors += 1


def find_wrong(texts: dict[tuple[str, int], str], found: list[StoredEvent], errors: int) -> str:
    """Return what is wrong with the events that are delivered; empty if nothing is.

    Args:
        texts: what was written, by origin and number.
        found: what is delivered.
        errors: lines of the log.
    """
    numbers = [(row.origin, row.seq) for row in found]
    if len(set(numbers)) < len(numbers):
        return "an event twice"
    # Behind a broken log, ends may have the numbers of lost events; a server knows better.
    changed = (row for row in found if texts.get((row.origin, row.seq), row.text) != row.text)
    if any('"interrupted"' not in row.text for row in changed):
        return "an event that was not written so"
    if texts.keys() - set(numbers) and not errors:
        return "events missing without a word"
    return ""


def main(
    flips: Annotated[int, typer.Option(help="Outboxes to damage.")] = 1000,
    bits: Annotated[int, typer.Option(help="Bits to flip in each.")] = 1,
    events: Annotated[int, typer.Option(help="Events in each.")] = 300,
    seed: Annotated[int, typer.Option(help="Selects the bits.")] = 0,
) -> None:
    """Print what was found; exit with 1 if anything is wrong."""
    console, found = Console(), Counter[str]()
    logger, log = logging.getLogger("pipeline"), ErrorLog()
    logger.addHandler(log)
    logger.propagate = False
    with tempfile.TemporaryDirectory(prefix="outbox-damage-") as name:
        for number in range(flips):
            folder, whole = Path(name) / "state", Path(name) / f"whole-{number % 2}"
            if not whole.exists():
                whole.mkdir()
                texts = write_outbox(whole, events, in_database=number % 2 == 1)
            shutil.copytree(whole, folder)
            rng = random.Random(f"{seed} {number}")  # noqa: S311
            where = [flip_bit(folder / NAME, rng) for _ in range(bits)]
            log.errors = 0
            delivered = read_all(folder)
            lost = len(texts.keys() - {(row.origin, row.seq) for row in delivered})
            found.update(named=log.errors > 0, incomplete=lost > 0, lost=lost)
            if wrong := find_wrong(texts, delivered, log.errors):
                found.update(wrong=1)
                console.print(f"{', '.join(where)}: {wrong}")
            shutil.rmtree(folder)
    console.print(f"{flips} outboxes of {events} events: {dict(found)}")
    if found["wrong"]:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
