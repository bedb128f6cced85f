"""What a piece of evidence shows: an alarm or an action, its people, and when it began."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase

import numpy as np

from models.boxes import FloatArray
from pipeline.events import ActionEvent, AlarmEvent, Event
from pipeline.outputs.drawing import LabelledBox
from pipeline.time_text import format_media_time, format_utc
from pipeline.types import DecidedFrame, TrackedPerson


@dataclass(frozen=True, slots=True)
class Choice:
    """Which alarms and actions are kept, by patterns as of a shell."""

    rules: tuple[str, ...]
    actions: tuple[str, ...]

    def shown_by(self, event: Event) -> Shown | None:
        """Return what an event is about; None for one that is not chosen."""
        if isinstance(event, AlarmEvent) and _matches(event.rule, self.rules):
            return Shown(event.alarm_id, event.rule, True, event.start_pts_s, event.start_time)
        if isinstance(event, ActionEvent) and _matches(event.action, self.actions):
            return Shown(
                event.instance_id, event.action, False, event.start_pts_s, event.start_time
            )
        return None


@dataclass(frozen=True, slots=True)
class Shown:
    """An alarm or an action that evidence is kept of."""

    id: str  # of the alarm or the action
    name: str  # of the rule or action
    is_alarm: bool
    start_pts_s: float
    start_time: str | None  # None without a wall clock

    @property
    def at(self) -> str | float:
        """When it began, for a file's name."""
        return self.start_pts_s if self.start_time is None else self.start_time

    def time_of(self, pts_s: float) -> str | None:
        """Return the UTC time of a media time; None without a wall clock."""
        if self.start_time is None:
            return None
        start = datetime.fromisoformat(self.start_time)
        at = start + timedelta(seconds=pts_s - self.start_pts_s)
        return format_utc(at.astimezone(UTC).timestamp())


def people_of(event: ActionEvent | AlarmEvent) -> frozenset[int]:
    """Return the track ids of the people in question, also those that they had before."""
    if isinstance(event, AlarmEvent):
        return frozenset(event.track_ids)
    return frozenset((*event.people, *event.track_ids))


def is_one_of(person: TrackedPerson, ids: frozenset[int]) -> bool:
    """Return whether a person has, or had, one of these track ids."""
    return not ids.isdisjoint((person.track_id, *person.track_ids))


def label_people(
    event: ActionEvent | AlarmEvent, people: Sequence[TrackedPerson]
) -> tuple[LabelledBox, ...]:
    """Return the boxes of the people in question, each with its track id and what it is about.

    Where none of them is seen in this frame, it is the event's own box.
    """
    ids = people_of(event)
    name = event.rule if isinstance(event, AlarmEvent) else event.action
    text = name if event.score is None else f"{name} {event.score:.0%}"
    found = [
        LabelledBox(f"#{(person.track_ids or (person.track_id,))[-1]} {text}", person.xyxy)
        for person in people
        if is_one_of(person, ids)
    ]
    if not found and event.xyxy is not None:
        found = [LabelledBox(text, np.array(event.xyxy, np.float32))]
    return tuple(found)


def caption_of(item: DecidedFrame) -> str:
    """Return the camera's name and the time of a frame: of day in UTC, or media time."""
    frame = item.tracked.frame
    times = (event.end_time for event in item.events if isinstance(event, ActionEvent | AlarmEvent))
    if any(time is not None for time in times):
        return f"{frame.camera_id}  {format_utc(frame.seen_at)}"
    return f"{frame.camera_id}  {format_media_time(frame.pts_s)}"


def boxes_of_others(people: Iterable[TrackedPerson], ids: frozenset[int]) -> tuple[FloatArray, ...]:
    """Return the boxes of everyone who is not in question."""
    return tuple(person.xyxy for person in people if not is_one_of(person, ids))


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
