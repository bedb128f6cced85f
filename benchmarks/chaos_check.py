"""Check the events of a chaos run: published once, in order, and consumed."""

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
    """Numbers of events after a run."""

    produced: int = 0
    on_stream: int = 0
    lost: int = 0  # produced, but not on the stream
    duplicated: int = 0
    out_of_order: int = 0
    not_ended: int = 0  # actions and cameras with a start but no end
    consumed: int = 0  # distinct events
    consumed_again: int = 0
    not_consumed: int = 0  # on the stream, but not consumed
    gaps_reported: int = 0  # events reported to the group as missing
    gaps_wrong: int = 0  # missing but not reported, or reported but not missing
    origins: dict[str, list[int]] = field(default_factory=dict, repr=False)

    @property
    def is_clean(self) -> bool:
        """Return whether no event is lost, duplicated or out of order, and every gap reported."""
        wrong = self.lost + self.duplicated + self.out_of_order + self.not_ended
        return wrong + self.not_consumed + self.gaps_wrong == 0


def check(url: str, stream: str, folder: Path) -> Findings:
    """Compare the events produced, on the stream, and consumed.

    Args:
        url: URL of the Redis server.
        stream: key of the stream.
        folder: records of the run.
    """
    findings = Findings()
    _read_stream(url, stream, findings)
    produced = _produced(folder)
    for origin, count in produced.items():
        on_stream = set(findings.origins.get(origin, ()))
        findings.lost += sum(seq not in on_stream for seq in range(1, count + 1))
    findings.produced = sum(produced.values())
    consumed = _consumed(folder)
    findings.consumed, findings.consumed_again = len(consumed), consumed.total() - len(consumed)
    published = {(origin, seq) for origin, seqs in findings.origins.items() for seq in seqs}
    findings.not_consumed = len(published - consumed.keys())
    return findings


def check_trimmed(folder: Path) -> Findings:
    """Check a trimmed stream: every event is either consumed or reported missing, never both."""
    findings = Findings()
    produced, consumed = _produced(folder), _consumed(folder)
    reported = _reported_missing(folder)
    findings.produced = sum(produced.values())
    findings.consumed, findings.gaps_reported = len(consumed), len(reported)
    everything = {(origin, seq) for origin, n in produced.items() for seq in range(1, n + 1)}
    neither = everything - consumed.keys() - reported
    findings.gaps_wrong = len(neither) + len(reported & consumed.keys())
    return findings


def count_reports(folder: Path) -> Counter[str]:
    """Count the reports of the subscribers, by kind."""
    return Counter(line.split(" ", 1)[0] for line in _lines(folder, "reported-*"))


def _read_stream(url: str, stream: str, findings: Findings) -> None:
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
    findings.origins = dict(numbers)
    findings.on_stream = sum(map(len, numbers.values()))
    findings.duplicated = sum(len(seqs) - len(set(seqs)) for seqs in numbers.values())
    findings.out_of_order = sum(
        later < earlier for seqs in numbers.values() for earlier, later in pairwise(seqs)
    )
    findings.not_ended = len(unfinished)


def _produced(folder: Path) -> dict[str, int]:
    """Return the highest sequence number per origin that was certainly written to the outbox."""
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


def _reported_missing(folder: Path) -> set[tuple[str, int]]:
    matches = filter(None, map(_GAP.match, _lines(folder, "reported-*")))
    return {
        (match["origin"], seq)
        for match in matches
        for seq in range(int(match["first"]), int(match["last"]) + 1)
    }


def _lines(folder: Path, pattern: str) -> list[str]:
    """Read complete lines; the last line of a killed process may be truncated."""
    return [
        line.strip()
        for path in folder.glob(pattern)
        for line in path.read_text().splitlines(keepends=True)
        if line.endswith("\n") and len(line.split()) > 1
    ]
