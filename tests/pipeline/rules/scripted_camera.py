"""A scripted camera for the tests of rules: who is where and does what, frame by frame."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pipeline.events import AlarmEvent, CameraEvent, Event
from pipeline.rules.rule import AlarmRule, Condition
from pipeline.rules.stage import AlarmStamp, CameraRules, apply_rules
from pipeline.rules.zones import Zone
from pipeline.types import (
    DecidedEnd,
    DecidedFrame,
    Frame,
    StreamEnd,
    TrackedFrame,
    TrackedPerson,
)
from tests.pipeline.decided_items import make_camera_event, make_event

FPS = 10
WH = (200, 100)
IMAGE = np.zeros((WH[1], WH[0], 3), np.uint8)
# The left half of the image, and the right half.
LEFT = Zone("left", np.array([(0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)]), inertia_s=0.0)
RIGHT = Zone("right", np.array([(0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0)]), inertia_s=0.0)
BODY = 40  # pixels high
Where = Mapping[int, float]  # x of the feet, by track id


def person_at(track_id: int, x: float, ids: Sequence[int] = ()) -> TrackedPerson:
    box = np.array([x - 8, 80 - BODY, x + 8, 80], np.float32)
    return TrackedPerson(track_id, box, 0.9, track_ids=tuple(ids))


@dataclass(slots=True)
class ScriptedCamera:
    """Makes the decided frames of a camera at 10 frames per second."""

    camera_id: str = "gate"
    unix_zero_s: float = 1_000_000.0
    items: list[DecidedFrame | DecidedEnd] = field(default_factory=list)
    index: int = 0
    _actions: dict[tuple[int, str], float] = field(default_factory=dict)
    _counts: dict[tuple[int, str], int] = field(default_factory=dict)

    @property
    def pts_s(self) -> float:
        return self.index / FPS

    def frames(
        self,
        seconds: float,
        where: Where,
        *,
        starts: Mapping[int, str] | None = None,
        ends: Mapping[int, str] | None = None,
        gone: Iterable[int] = (),
        **more: Any,
    ) -> ScriptedCamera:
        """Add frames with people at places; actions start or end, and tracks end, at the first."""
        for number in range(round(seconds * FPS)):
            if number == 0:
                self.frame(where, starts=starts, ends=ends, gone=gone, **more)
            else:
                self.frame(where, **more)
        return self

    def frame(
        self,
        where: Where,
        *,
        starts: Mapping[int, str] | None = None,
        ends: Mapping[int, str] | None = None,
        gone: Iterable[int] = (),
        ids: Mapping[int, Sequence[int]] | None = None,
        **fields: Any,
    ) -> None:
        at, names = self.unix_zero_s + self.pts_s, ids or {}
        frame = Frame(self.camera_id, self.index, self.pts_s, at, IMAGE, at)
        people = tuple(person_at(one, x, names.get(one, ())) for one, x in where.items())
        events: list[Event] = [] if self.items else [self._camera_up()]
        for one, action in (starts or {}).items():
            self._actions[one, action] = self.pts_s
            self._counts[one, action] = self._counts.get((one, action), 0) + 1
            events.append(self._action("start", one, action, names, fields))
        for one, action in (ends or {}).items():
            events.append(self._action("end", one, action, names, fields))
        tracked = TrackedFrame(frame, people, tuple(gone), at, at)
        self.items.append(DecidedFrame(tracked, tuple(events)))
        self.index += 1

    def end(self, end: StreamEnd | None = None) -> ScriptedCamera:
        """Add the end of the camera's frames."""
        down = make_camera_event(kind="camera_down", camera_id=self.camera_id, reason="stopped")
        self.items.append(DecidedEnd(end or StreamEnd(self.camera_id), (down,)))
        return self

    def _camera_up(self) -> CameraEvent:
        return make_camera_event(camera_id=self.camera_id)

    def _action(
        self,
        kind: str,
        one: int,
        action: str,
        names: Mapping[int, Sequence[int]],
        fields: Mapping[str, Any],
    ) -> Event:
        ids, count = tuple(names.get(one, (one,))), self._counts[one, action]
        made = {
            "camera_id": self.camera_id,
            "instance_id": f"run/{self.camera_id}/{one}/{action}/{count}",
            "track_id": ids[-1],
            "track_ids": ids,
            "action": action,
            "start_pts_s": self._actions[one, action],
            "end_pts_s": self.pts_s,
        }
        return make_event(kind=kind, **(made | dict(fields)))


def rule(name: str = "fight", **fields: Any) -> AlarmRule:
    """A rule; the keys of a condition are those of `when`."""
    of_condition = {key: fields.pop(key) for key in list(fields) if key in _CONDITION_KEYS}
    return AlarmRule(name, Condition(**of_condition), **fields)


_CONDITION_KEYS = set(Condition.__dataclass_fields__)


def stamp(**changes: Any) -> AlarmStamp:
    fields = {
        "run_id": "run",
        "wall_clock": False,
        "now": lambda: 0.0,
        "seen_at": lambda frame: frame.seen_at,
    }
    return AlarmStamp(**(fields | changes))


def applied(
    camera: ScriptedCamera, *rules: AlarmRule, zones: Sequence[Zone] = (LEFT, RIGHT), **more: Any
) -> list[DecidedFrame | DecidedEnd]:
    settings = CameraRules(zones=tuple(zones), rules=rules, **more)
    return list(apply_rules(camera.items, lambda camera_id: settings, stamp()))


def alarms(
    camera: ScriptedCamera, *rules: AlarmRule, zones: Sequence[Zone] = (LEFT, RIGHT), **more: Any
) -> list[AlarmEvent]:
    return alarms_in(applied(camera, *rules, zones=zones, **more))


def alarms_in(items: Iterable[DecidedFrame | DecidedEnd]) -> list[AlarmEvent]:
    return [event for item in items for event in item.events if isinstance(event, AlarmEvent)]


def lived(events: Iterable[AlarmEvent]) -> list[tuple[str, str, float, float]]:
    """Rule, phase, begin and end of alarms."""
    return [(one.rule, one.phase, one.start_pts_s, one.end_pts_s) for one in events]
