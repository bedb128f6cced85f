"""Cut the power at every write that an outbox and an events.jsonl make, and look what is left.

    python -m benchmarks.power_cut [--every 1] [--seed 0]

A run of two cameras is recorded once (see `testbed.disk_recording`), then replayed up to every
operation, with nothing, everything and a random part of what was not synced. Each state is opened
by the next run and delivered to a server that had got everything before the cut. Nothing that was
synced may be missing, nothing may be there twice, nothing may be called damaged, and everything
that was open must be ended.
"""

from __future__ import annotations

import logging
import random
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track

from pipeline.delivery.publisher import Publisher
from pipeline.delivery.storage.outbox_file import StoredEvent
from pipeline.delivery.storage.outbox_folder import open_outboxes
from pipeline.delivery.stream_writer import Appended
from pipeline.events import Event, EventError, SequenceGap, decode_event, encode_event
from pipeline.outputs.sinks import JsonLinesSink
from pipeline.types import DecidedEnd, StreamEnd
from testbed.disk_recording import Amount, DiskOperation, can_record, record, state_after

RUN, OUTBOX, LINES = "cut", "cut-a1.outbox", "events.jsonl"
AMOUNTS: tuple[Amount, ...] = ("nothing", "everything", "some", "some")
_SYNC_EVERY = 7  # decisions
# Checkpoints, after which SQLite begins its log again, come with every 1000 pages by default.
PROGRAM = f"""
import sys
from pathlib import Path
from benchmarks.chaos_processes import CameraScript
from pipeline.delivery.storage import disk_sync
from pipeline.delivery.storage.outbox import Outbox
from pipeline.outputs.sinks import JsonLinesSink
from pipeline.types import DecidedEnd, StreamEnd
folder, count = Path(sys.argv[1]), COUNT
disk_sync.DiskSync.written = lambda self: None  # synced below, in this one thread
outbox = Outbox(folder / {OUTBOX!r}, target="here")
outbox._file._connection.execute("PRAGMA wal_autocheckpoint = 40")
lines = JsonLinesSink(folder / {LINES!r}, keep=True)
disk_sync.sync_folder(folder)
cameras = [CameraScript({RUN!r}, name) for name in ("gate", "yard")]
for number in range(count):
    events = (cameras[number % 2].next_event(), cameras[number % 2].next_event())
    lines.write(DecidedEnd(StreamEnd("gate"), events))
    outbox.append(events)
    os.write(MARKS, b"stored %d" % number)
    if number % {_SYNC_EVERY} == 0:
        disk_sync.sync_outbox(outbox.path)
        os.write(MARKS, b"synced %d" % number)
os._exit(0)
"""


class ServerInMemory:
    """The server's side of a stream: which events it has, and which numbers it knows."""

    name = "redis://memory"

    def __init__(self, events: Sequence[Event]) -> None:
        self.events = list(events)

    def append(self, rows: Sequence[StoredEvent]) -> Appended:
        """Append events as the script on a server does."""
        added = known = 0
        newest: dict[str, Event] = {event.origin: event for event in self.events}
        differing = []
        for index, row in enumerate(rows):
            last = newest.get(row.origin)
            seq = 0 if last is None else last.seq
            if row.seq <= seq:
                known += 1
                if last is not None and row.seq == seq and encode_event(last) != row.text:
                    differing.append(index)
            elif row.prev > seq:
                gap = SequenceGap(row.origin, seq + 1, row.seq - 1)
                return Appended(added, known, gap, tuple(differing))
            else:
                newest[row.origin] = decode_event(row.text)
                self.events.append(newest[row.origin])
                added += 1
        return Appended(added, known, None, tuple(differing))

    def newest_of_run(self, run_id: str) -> dict[str, int]:
        """Return the newest numbers of a run by origin."""
        own = [event for event in self.events if event.run_id == run_id]
        return {event.origin: event.seq for event in own}

    def events_behind(self, origin: str, seq: int, newest_seq: int) -> list[Event]:
        """Return the events of a camera and run with numbers behind one."""
        own = [event for event in self.events if event.origin == origin]
        return [event for event in own if seq < event.seq <= newest_seq]

    def unsaved_bytes(self) -> int:
        """Return 0: everything is kept."""
        return 0

    def ping(self) -> None:
        """Answer."""

    def warnings(self) -> list[str]:
        """Return none."""
        return []


@dataclass(slots=True)
class Cuts:
    """What was found."""

    states: int = 0
    wrong: list[str] = field(default_factory=list)


def record_run(folder: Path, decisions: int) -> list[DiskOperation]:
    """Record a run of so many decisions in an empty folder."""
    watched = folder / "watched"
    watched.mkdir()
    return record(PROGRAM.replace("COUNT", str(decisions)), watched)


def cut(
    operations: Sequence[DiskOperation], at: int, amount: Amount, rng: random.Random, folder: Path
) -> list[str]:
    """Cut the power after some operations; returns what is wrong with what is left.

    Args:
        operations: of the whole run.
        at: how many of them were done.
        amount: see `state_after`.
        rng: selects what is there of the rest.
        folder: empty.
    """
    done = operations[:at]
    for name, content in state_after(done, amount, rng).items():
        (folder / name).write_bytes(content)
    stored, synced = _marked(done, "stored"), _marked(done, "synced")
    heard = _Heard()
    logging.getLogger("pipeline").addHandler(heard)
    try:
        wrong = [*_check_outbox(folder, stored, synced), *_check_lines(folder)]
    finally:
        logging.getLogger("pipeline").removeHandler(heard)
    return [*wrong, *(line for line in heard.lines if "damaged" in line or "quarantine" in line)]


class _Heard(logging.Handler):
    """Keeps the log lines."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def _marked(operations: Sequence[DiskOperation], word: str) -> int:
    """Return how many decisions have a mark."""
    marks = (one.name.split() for one in operations if one.kind == "mark")
    return max((int(number) + 1 for found, number in marks if found == word), default=0)


def _events_of(decisions: int) -> list[Event]:
    from benchmarks.chaos_processes import CameraScript

    cameras = [CameraScript(RUN, name) for name in ("gate", "yard")]
    return [cameras[number % 2].next_event() for number in range(decisions) for _ in range(2)]


def _check_outbox(folder: Path, stored: int, synced: int) -> list[str]:
    wrong = []
    server = ServerInMemory(_events_of(stored))
    with open_outboxes(folder, None, "here", max_bytes=2**30) as (left, _):
        if synced and not left:
            return ["the outbox is gone"]
        rows = [row for box in left for row in box.after(0, 100_000)]
        events = [decode_event(row.text) for row in rows]
        # The last append may have been on disk before its mark.
        whole = [_events_of(stored + 1)[: len(events)]]
        if events not in whole or len(events) < 2 * synced:
            wrong.append(f"{len(events)} events in the outbox, {2 * synced} were synced")
        if left:
            publisher = Publisher(left, server, has_own=False)  # type: ignore[arg-type]
            publisher.start()
            if publisher.drain(30.0):
                wrong.append("it does not end")
            publisher.stop()
            if publisher.counts.differing:
                wrong.append(f"{publisher.counts.differing} known numbers with other texts")
            wrong += _check_stream(server.events)
    return wrong


def _check_stream(events: Sequence[Event]) -> list[str]:
    wrong = []
    unfinished = set[str]()
    numbers: dict[str, int] = {}
    for event in events:
        if event.seq != numbers.get(event.origin, 0) + 1:
            wrong.append(f"number {event.seq} behind {numbers.get(event.origin, 0)}")
        numbers[event.origin] = event.seq
        ends = event.kind in ("end", "camera_down")
        (unfinished.discard if ends else unfinished.add)(event.interval_id)
    return [*wrong, *(f"{subject} is never ended" for subject in sorted(unfinished))]


def _check_lines(folder: Path) -> list[str]:
    """Check that the next run's first event is whole in the file of JSON lines."""
    path = folder / LINES
    new = _events_of(1)[0].model_copy(update={"run_id": "next"})
    with JsonLinesSink(path, keep=True) as sink:
        sink.write(DecidedEnd(StreamEnd("gate"), (new,)))
    try:
        last = decode_event(path.read_bytes().splitlines()[-1])
    except EventError as error:
        return [f"the next run's first event in {LINES}: {error}"]
    return [] if last == new else [f"another last event in {LINES}"]


def cut_everywhere(
    operations: Sequence[DiskOperation], points: Sequence[int], seed: int, folder: Path
) -> Cuts:
    """Cut the power at some points, with every amount of what was not synced."""
    cuts = Cuts()
    for at in points:
        for number, amount in enumerate(AMOUNTS):
            rng = random.Random(f"{seed} {at} {number}")  # noqa: S311
            state = folder / f"{at}-{number}"
            state.mkdir()
            found = cut(operations, at, amount, rng, state)
            cuts.states += 1
            cuts.wrong += [f"after {at} operations, {amount}: {what}" for what in found]
            for path in state.iterdir():
                path.unlink()
    return cuts


def main(
    every: Annotated[int, typer.Option(help="Cut at every so many operations.")] = 1,
    decisions: Annotated[int, typer.Option(help="Length of the recorded run.")] = 60,
    seed: Annotated[int, typer.Option(help="Selects what is left of the rest.")] = 0,
) -> None:
    """Print what is wrong; exit with 1 if anything is."""
    if not can_record():
        raise SystemExit("strace is not installed, or may not trace here")
    console = Console()
    logging.getLogger("pipeline").propagate = False
    with tempfile.TemporaryDirectory(prefix="power-cut-") as folder:
        operations = record_run(Path(folder), decisions)
        total = Cuts()
        for at in track(range(1, len(operations) + 1, every), console=console, transient=True):
            found = cut_everywhere(operations, [at], seed, Path(folder))
            total.states += found.states
            total.wrong += found.wrong
    console.print(f"{len(operations)} operations, {total.states} states, {len(total.wrong)} wrong")
    for what in total.wrong[:50]:
        console.print(what)
    if total.wrong:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
