"""What a chaos run left behind: is every event on the stream once, in order, and dealt with?"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from pipeline.events import decode_event
from pipeline.redis_store.connection import connect

_PAGE = 5000
_GAP = re.compile(
    r"SequenceGap (?P<origin>\S+): events (?P<first>\d+) to (?P<last>\d+) are missing"
)


@dataclass(slots=True)
class Findings:
    """Counts of events."""

    produced: int = 0
    on_stream: int = 0
    lost: int = 0  # produced, not on the stream
    doubled: int = 0
    out_of_order: int = 0
    not_ended: int = 0  # actions and cameras that were begun and never ended
    consumed: int = 0  # different ones
    consumed_again: int = 0
    not_consumed: int = 0  # on the stream
    gaps_told: int = 0  # events that the group was told are missing
    gaps_wrong: int = 0  # missing and not told, or told and not missing
    origins: dict[str, list[int]] = field(default_factory=dict, repr=False)

    @property
    def is_clean(self) -> bool:
        """Nothing lost, doubled or out of order, and every gap told."""
        wrong = self.lost + self.doubled + self.out_of_order + self.not_ended
        return wrong + self.not_consumed + self.gaps_wrong == 0


def check(url: str, stream: str, folder: Path) -> Findings:
    """Compare what was produced, what is on the stream and what was consumed."""
    found = Findings()
    _read_stream(url, stream, found)
    produced = _produced(folder)
    for origin, count in produced.items():
        on_stream = set(found.origins.get(origin, ()))
        found.lost += sum(seq not in on_stream for seq in range(1, count + 1))
    found.produced = sum(produced.values())
    consumed = _consumed(folder)
    found.consumed, found.consumed_again = len(consumed), consumed.total() - len(consumed)
    there = {(origin, seq) for origin, seqs in found.origins.items() for seq in seqs}
    found.not_consumed = len(there - consumed.keys())
    return found


def check_trimmed(folder: Path) -> Findings:
    """For a stream that forgets: every event is consumed, or told as missing; never both."""
    found = Findings()
    produced, consumed, told = _produced(folder), _consumed(folder), _told_missing(folder)
    found.produced = sum(produced.values())
    found.consumed, found.gaps_told = len(consumed), len(told)
    everything = {(origin, seq) for origin, n in produced.items() for seq in range(1, n + 1)}
    neither = everything - consumed.keys() - told
    found.gaps_wrong = len(neither) + len(told & consumed.keys())
    return found


def reports(folder: Path) -> Counter[str]:
    """How often each kind of report was made."""
    return Counter(line.split(" ", 1)[0] for line in _lines(folder, "reported-*"))


def _read_stream(url: str, stream: str, found: Findings) -> None:
    client = connect(url, socket_timeout_s=30.0, retries=3)
    numbers: dict[str, list[int]] = defaultdict(list)
    unfinished: set[str] = set()
    begin = "-"
    while entries := client.xrange(stream, begin, "+", count=_PAGE):
        for _, fields in entries:
            event: Any = decode_event(fields[b"event"])
            numbers[event.origin].append(event.seq)
            if event.kind in ("end", "camera_down"):
                unfinished.discard(event.subject)
            else:
                unfinished.add(event.subject)
        begin = f"({entries[-1][0].decode()}"
    client.close()
    found.origins = dict(numbers)
    found.on_stream = sum(map(len, numbers.values()))
    found.doubled = sum(len(seqs) - len(set(seqs)) for seqs in numbers.values())
    found.out_of_order = sum(
        later < earlier for seqs in numbers.values() for earlier, later in pairwise(seqs)
    )
    found.not_ended = len(unfinished)


def _produced(folder: Path) -> dict[str, int]:
    """The newest number of each camera and run that was kept on disk for certain."""
    newest: dict[str, int] = {}
    for path in folder.glob("produced-*"):
        run_id = path.name.removeprefix("produced-")
        for line in path.read_text().splitlines(keepends=True):
            if line.endswith("\n"):
                camera_id, seq = line.split()
                newest[f"{run_id}/{camera_id}"] = int(seq)
    return newest


def _consumed(folder: Path) -> Counter[tuple[str, int]]:
    pairs: Counter[tuple[str, int]] = Counter()
    for line in _lines(folder, "consumed-*"):
        origin, _, seq = line.rpartition(" ")
        pairs[origin, int(seq)] += 1
    return pairs


def _told_missing(folder: Path) -> set[tuple[str, int]]:
    matches = filter(None, map(_GAP.match, _lines(folder, "reported-*")))
    return {
        (match["origin"], seq)
        for match in matches
        for seq in range(int(match["first"]), int(match["last"]) + 1)
    }


def _lines(folder: Path, pattern: str) -> list[str]:
    """Whole lines; a kill may cut the last one of a process' life."""
    return [
        line.strip()
        for path in folder.glob(pattern)
        for line in path.read_text().splitlines(keepends=True)
        if line.endswith("\n") and len(line.split()) > 1
    ]
