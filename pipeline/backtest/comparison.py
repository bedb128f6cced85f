"""What a configuration reports that another does not, and the other way round."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipeline.backtest.occurrences import Occurrence

_Key = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The alarms and actions of one configuration beside those of another."""

    kept: tuple[tuple[Occurrence, Occurrence], ...]  # of both: the other one's, then this one's
    added: tuple[Occurrence, ...]  # of this one alone
    removed: tuple[Occurrence, ...]  # of the other one alone


def compare(others: Sequence[Occurrence], ours: Sequence[Occurrence]) -> Comparison:
    """Pair what lasts at a common time, of one rule or action of one camera, one to one.

    Pairs are made in the order of the starts: the earliest that is not paired yet is taken.

    Args:
        others: of the configuration that is compared with.
        ours: of this configuration.
    """
    waiting: dict[_Key, list[Occurrence]] = defaultdict(list)
    for one in sorted(others, key=_start):
        waiting[_key(one)].append(one)
    kept, added = list[tuple[Occurrence, Occurrence]](), list[Occurrence]()
    for one in sorted(ours, key=_start):
        candidates = waiting[_key(one)]
        match = next((other for other in candidates if other.overlaps(one)), None)
        if match is None:
            added.append(one)
        else:
            candidates.remove(match)
            kept.append((match, one))
    removed = sorted(_all(waiting.values()), key=_start)
    return Comparison(tuple(kept), tuple(added), tuple(removed))


def _key(one: Occurrence) -> _Key:
    return one.kind, one.name, one.camera_id, one.recording


def _start(one: Occurrence) -> tuple[str, float, float]:
    return one.recording, one.start_pts_s, one.end_pts_s


def _all(lists: Iterable[list[Occurrence]]) -> list[Occurrence]:
    return [one for each in lists for one in each]
