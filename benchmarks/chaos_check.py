"""Check the events of a chaos run: published once, in order, and consumed."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.chaos_processes import CAMERAS
from benchmarks.chaos_records import records_in
from pipeline.events import decode_event
from pipeline.redis_store.connection import connect

_PAGE = 5000
_DAMAGE = re.compile("damaged|breaks off|is not delivered|are missing|cannot be opened")
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
    lost_by_power_cut: int = 0  # not synced, and not yet on the stream
    longest_unsynced_s: float = 0.0  # between the newest sync and a power cut
    lost_by_damage: int = 0  # in outboxes with a flipped bit
    damage_unnamed: int = 0  # outboxes that lack events because of it, and no log names them
    origins: dict[str, list[int]] = field(default_factory=dict, repr=False)

    @property
    def is_clean(self) -> bool:
        """Return whether no event is lost, duplicated or out of order, and every gap reported."""
        wrong = self.lost + self.duplicated + self.out_of_order + self.not_ended
        return wrong + self.not_consumed + self.gaps_wrong + self.damage_unnamed == 0


@dataclass(frozen=True, slots=True)
class Allowances:
    """Runs that may lack events, after faults of which no program can save everything."""

    power_lost: Mapping[str, tuple[int, ...]] = field(default_factory=dict)  # synced numbers by run
    damaged: Collection[str] = ()  # runs


def check(url: str, stream: str, folder: Path, allowances: Allowances | None = None) -> Findings:
    """Compare the events produced, on the stream, and consumed.

    Args:
        url: URL of the Redis server.
        stream: key of the stream.
        folder: records of the run.
        allowances: runs that may lack events.
    """
    findings, allowances = Findings(), allowances or Allowances()
    _read_stream(url, stream, findings, allowances)
    produced = _produced(folder)
    lacking = Counter[str]()
    for origin, count in produced.items():
        run_id, _, camera_id = origin.partition("/")
        on_stream = set(findings.origins.get(origin, ()))
        missing = [seq for seq in range(1, count + 1) if seq not in on_stream]
        if run_id in allowances.damaged:
            lacking[run_id] += len(missing)
        elif run_id in allowances.power_lost:
            synced = allowances.power_lost[run_id][CAMERAS.index(camera_id)]
            findings.lost += sum(seq <= synced for seq in missing)
            findings.lost_by_power_cut += sum(seq > synced for seq in missing)
        else:
            findings.lost += len(missing)
    findings.lost_by_damage = lacking.total()
    findings.damage_unnamed = sum(
        not _is_named(folder, run_id) for run_id, count in lacking.items() if count
    )
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


def _is_named(folder: Path, run_id: str) -> bool:
    lines = (line for path in folder.glob("log-*") for line in path.read_text().splitlines())
    return any(run_id in line and _DAMAGE.search(line) for line in lines)


def _read_stream(url: str, stream: str, findings: Findings, allowances: Allowances) -> None:
    client = connect(url, socket_timeout_s=30.0, retries=3)
    numbers: dict[str, list[int]] = defaultdict(list)
    unfinished: set[str] = set()
    begin = "-"
    while entries := client.xrange(stream, begin, "+", count=_PAGE):
        for _, fields in entries:
            event: Any = decode_event(fields[b"event"])
            numbers[event.origin].append(event.seq)
            if event.kind in ("end", "camera_down"):
                unfinished.discard(event.interval_id)
            else:
                unfinished.add(event.interval_id)
        begin = f"({entries[-1][0].decode()}"
    client.close()
    findings.origins = dict(numbers)
    findings.on_stream = sum(map(len, numbers.values()))
    findings.duplicated = sum(len(seqs) - len(set(seqs)) for seqs in numbers.values())
    findings.out_of_order = sum(
        later < earlier for seqs in numbers.values() for earlier, later in pairwise(seqs)
    )
    findings.not_ended = sum(_run_of(subject) not in allowances.damaged for subject in unfinished)


def _run_of(subject: str) -> str:
    """Return the run of an action or a camera; both begin with it here."""
    return subject.partition("/")[0]


def _produced(folder: Path) -> dict[str, int]:
    """Return the highest sequence number per origin that was certainly stored."""
    return {
        f"{run_id}/{camera_id}": seq
        for run_id, record in records_in(folder).items()
        for camera_id, seq in zip(CAMERAS, record.numbers, strict=True)
    }


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
