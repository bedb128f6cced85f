"""Events gathered into rows: one per action and one per alarm, from its start to its end."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from pipeline.events import ActionEvent, AlarmEvent, Event, EvidenceEvent


@dataclass(slots=True)
class IntervalRow:
    """An action or an alarm, as far as it is known."""

    camera: str
    kind: Literal["action", "alarm"]
    name: str  # of the action or rule
    begin: datetime | None  # with its time zone; None without a wall clock
    begin_s: float  # media time
    id: str  # instance_id or alarm_id
    end: datetime | None = None
    end_s: float = 0.0
    peak: float | None = None  # highest score so far; None: of an alarm without an action
    zone: str = ""
    severity: str = ""  # of an alarm
    reason: str = ""  # of an alarm, in words
    end_reason: str = ""  # empty: the run ended before it did
    people: set[int] = field(default_factory=set)  # track ids of everyone who took part
    evidence: list[str] = field(default_factory=list)  # paths, relative to the evidence folder

    @property
    def duration_s(self) -> float:
        """How long it is known to have lasted, seconds."""
        return round(self.end_s - self.begin_s, 3)


class IntervalTable:
    """Rows in the order in which they started."""

    def __init__(self) -> None:
        self._rows: dict[str, IntervalRow] = {}

    def add(self, event: Event) -> None:
        """Begin a row with an event, or complete one; evidence goes to what it shows."""
        if isinstance(event, EvidenceEvent):
            shown = self._rows.get(event.alarm_id or event.instance_id or "")
            if shown is not None:
                _add_evidence(shown, event.path)
        elif isinstance(event, ActionEvent | AlarmEvent):
            row = self._rows.setdefault(event.interval_id, _begun(event))
            _complete(row, event)

    def rows(self) -> list[IntervalRow]:
        """Return all rows."""
        return list(self._rows.values())


def _begun(event: ActionEvent | AlarmEvent) -> IntervalRow:
    row = IntervalRow(
        camera=event.camera_id,
        kind="action",
        name="",
        begin=_time(event.start_time),
        begin_s=event.start_pts_s,
        id=event.interval_id,
    )
    if isinstance(event, AlarmEvent):
        row.kind, row.name, row.severity = "alarm", event.rule, event.severity
    else:
        row.name = event.action
    return row


def _complete(row: IntervalRow, event: ActionEvent | AlarmEvent) -> None:
    row.end, row.end_s = _time(event.end_time), event.end_pts_s
    row.end_reason = event.end_reason or ""
    if isinstance(event, AlarmEvent):
        row.peak, row.zone, row.reason = event.score, event.zone or "", event.reason
        row.people.update(event.track_ids)
        if event.snapshot is not None:
            _add_evidence(row, event.snapshot)
    else:
        row.peak = event.peak_score
        row.people.update(event.people, event.track_ids)


def _add_evidence(row: IntervalRow, path: str) -> None:
    if path not in row.evidence:
        row.evidence.append(path)


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
