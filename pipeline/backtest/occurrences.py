"""What a configuration reports, as one entry per alarm and action, with its begin and end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from pipeline.events import ActionEvent, AlarmEvent, Event

OccurrenceKind = Literal["alarm", "action"]


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One alarm or one action, from its start to its end."""

    kind: OccurrenceKind
    name: str  # the rule of an alarm, the label of an action
    camera_id: str
    recording: str  # of the run
    start_pts_s: float  # media time
    end_pts_s: float
    decided_pts_s: float  # media time at which the start was reported
    start_at: float | None  # Unix seconds; None without a wall clock
    end_at: float | None  # Unix seconds
    score: float | None  # the highest smoothed one; None: no action is behind the alarm
    who: str  # for people: "person 7", "group 2", "7 and 9 in entrance"
    xyxy: tuple[float, float, float, float] | None  # pixels, at the start

    def overlaps(self, other: Occurrence) -> bool:
        """Return whether both last at a time that they have in common."""
        return self.start_pts_s <= other.end_pts_s and other.start_pts_s <= self.end_pts_s


class OccurrenceCollector:
    """Puts starts, updates and ends together.

    Args:
        recording: of the run that the events are of.
    """

    def __init__(self, recording: str) -> None:
        self._recording = recording
        self._found: dict[str, Occurrence] = {}  # by instance or alarm, in order of their starts

    def add(self, events: Iterable[Event]) -> None:
        """Take the events of one item; those of cameras and of evidence are of no interest."""
        for event in events:
            if isinstance(event, ActionEvent | AlarmEvent):
                self._add(event)

    @property
    def occurrences(self) -> list[Occurrence]:
        """What was found so far, in the order in which it was reported."""
        return list(self._found.values())

    def _add(self, event: ActionEvent | AlarmEvent) -> None:
        known = self._found.get(event.interval_id)
        score = event.peak_score if isinstance(event, ActionEvent) else event.score
        if known is not None:
            self._found[event.interval_id] = replace(
                known,
                end_pts_s=event.end_pts_s,
                end_at=_unix_s(event.end_time),
                score=score,
            )
            return
        is_alarm = isinstance(event, AlarmEvent)
        self._found[event.interval_id] = Occurrence(
            kind="alarm" if is_alarm else "action",
            name=event.rule if isinstance(event, AlarmEvent) else event.action,
            camera_id=event.camera_id,
            recording=self._recording,
            start_pts_s=event.start_pts_s,
            end_pts_s=event.end_pts_s,
            decided_pts_s=event.end_pts_s,
            start_at=_unix_s(event.start_time),
            end_at=_unix_s(event.end_time),
            score=score,
            who=_subjects(event),
            xyxy=event.xyxy,
        )


def _unix_s(utc_text: str | None) -> float | None:
    return None if utc_text is None else datetime.fromisoformat(utc_text).timestamp()


def _subjects(event: ActionEvent | AlarmEvent) -> str:
    if isinstance(event, ActionEvent):
        return f"person {event.track_id}" if event.group_id is None else f"group {event.group_id}"
    groups = [f"group {number}" for number in event.group_ids]
    who = " and ".join([*groups, *map(str, event.track_ids)]) or "no person"
    return who if event.zone is None else f"{who} in {event.zone}"
