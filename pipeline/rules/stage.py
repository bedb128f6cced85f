"""The rule stage: add zones, crossings and alarms to what was decided."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from pipeline.events import UNNUMBERED, AlarmEndReason, AlarmEvent, CameraEvent, Event
from pipeline.printable import printable
from pipeline.rules.alarms import AlarmChange, RuleAlarms
from pipeline.rules.ground_plane import GroundPlane
from pipeline.rules.lines import Line, LineTracker
from pipeline.rules.reasons import reason_of, shown_ids
from pipeline.rules.rule import GROUND, AlarmRule
from pipeline.rules.scene import CameraScene
from pipeline.rules.zones import Zone, ZoneTracker
from pipeline.time_text import format_utc
from pipeline.types import DecidedEnd, DecidedFrame, Frame

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CameraRules:
    """What holds for one camera."""

    zones: tuple[Zone, ...] = ()
    lines: tuple[Line, ...] = ()
    plane: GroundPlane | None = None
    rules: tuple[AlarmRule, ...] = ()


@dataclass(frozen=True, slots=True)
class AlarmStamp:
    """Fields that all alarms of a run share.

    Attributes:
        run_id: of the run.
        wall_clock: False omits all UTC times and latencies.
        now: Unix seconds, for the latency of an event.
        seen_at: Unix seconds at which the camera saw a frame, by which schedules are open or not;
            None: not known, and no schedule holds.
    """

    run_id: str
    wall_clock: bool
    now: Callable[[], float]
    seen_at: Callable[[Frame], float | None]


def apply_rules(
    items: Iterable[DecidedFrame | DecidedEnd],
    rules_of: Callable[[str], CameraRules],
    stamp: AlarmStamp,
) -> Generator[DecidedFrame | DecidedEnd, None, None]:
    """Add the zones, the crossings and the alarms to every frame of every camera.

    The events have no number; `number_events` gives it.

    Args:
        items: of any number of cameras, each camera's in order.
        rules_of: what holds for a camera now, by its id. What it returns may change from item to
            item: alarms of a rule that is gone or differs end, all others continue.
        stamp: fields that all events share.

    Yields:
        One item per item, in order.
    """
    cameras: dict[str, CameraAlarms] = {}
    for item in items:
        camera = cameras.get(item.camera_id)
        if camera is None:  # kept after the end: after a reconnect its alarms are numbered on
            camera = cameras[item.camera_id] = CameraAlarms(item.camera_id, stamp)
        if isinstance(item, DecidedEnd):
            yield camera.finish(item)
        else:
            yield camera.step(item, rules_of(item.camera_id))


@dataclass(slots=True)
class CameraAlarms:
    """The rules of one camera and what they know."""

    camera_id: str
    stamp: AlarmStamp
    _settings: CameraRules = field(default_factory=CameraRules)
    _scene: CameraScene = field(default_factory=CameraScene)
    _zones: ZoneTracker = field(default_factory=lambda: ZoneTracker(()))
    _lines: LineTracker = field(default_factory=lambda: LineTracker(()))
    _rules: dict[str, RuleAlarms] = field(default_factory=dict)  # by name
    _alarms: dict[str, int] = field(default_factory=dict)  # counted so far, by name of the rule
    _newest: DecidedFrame | None = None
    _reported: set[str] = field(default_factory=set)  # rules whose limit was logged

    def step(self, item: DecidedFrame, settings: CameraRules) -> DecidedFrame:
        """Return the frame with its zones, its crossings and what changes of the alarms."""
        ended = () if settings is self._settings else self._change_to(settings)
        if settings.zones or settings.lines:
            item = self._located(item)
        if not settings.rules:
            return self._with_alarms(item, ended)
        at = self.stamp.seen_at(item.tracked.frame)
        self._scene.update(item, at)
        changes = [c for one in self._rules.values() for c in one.step(self._scene)]
        self._newest = item
        self._log_limits()
        return self._with_alarms(item, (*ended, *(self._event(c, item) for c in changes)))

    def finish(self, item: DecidedEnd) -> DecidedEnd:
        """End all alarms, before the camera is down; forget everyone."""
        reason: AlarmEndReason = "stream_ended" if item.end.is_final else "camera_down"
        ends = self._end(self._rules.values(), reason)
        self._scene.clear()
        self._zones.clear()
        self._lines.clear()
        self._newest = None
        if not ends:
            return item
        *others, last = item.events
        is_down = isinstance(last, CameraEvent)
        events = (*others, *ends, last) if is_down else (*item.events, *ends)
        return replace(item, events=events)

    def _change_to(self, settings: CameraRules) -> tuple[AlarmEvent, ...]:
        """Take over other settings; what is equal in both keeps its state."""
        places = _changed_places(self._settings, settings)
        self._zones = self._zones.changed_to(settings.zones)
        self._lines = self._lines.changed_to(settings.lines)
        wanted = {rule.name: rule for rule in settings.rules}
        gone = {
            name: one
            for name, one in self._rules.items()
            if one.rule != wanted.get(name) or not places.isdisjoint(one.rule.places)
        }
        ended = self._end(gone.values(), "rule_removed")
        if not self._rules:  # people and actions were not followed until now
            self._scene.clear()
        self._alarms |= {name: one.alarms for name, one in gone.items()}
        self._reported -= gone.keys()
        kept = {name: one for name, one in self._rules.items() if name not in gone}
        self._rules = {
            name: kept.get(name) or RuleAlarms(rule, settings.plane, self._alarms.get(name, 0))
            for name, rule in wanted.items()
        }
        self._settings = settings
        return ended

    def _located(self, item: DecidedFrame) -> DecidedFrame:
        tracked = item.tracked
        boxes = {person.track_id: person.xyxy for person in tracked.people}
        frame = tracked.frame
        zones = self._zones.update(frame.pts_s, boxes, frame.wh, tracked.ended)
        crossings = self._lines.update(boxes, frame.wh, tracked.ended)
        return replace(item, zones=zones, crossings=crossings)

    def _end(self, rules: Iterable[RuleAlarms], reason: AlarmEndReason) -> tuple[AlarmEvent, ...]:
        changes = [change for one in rules for change in one.finish()]
        if self._newest is None:
            assert not changes, "an alarm needs a frame"
            return ()
        return tuple(self._event(change, self._newest, reason) for change in changes)

    def _event(
        self, change: AlarmChange, item: DecidedFrame, end_reason: AlarmEndReason = "over"
    ) -> AlarmEvent:
        frame, matches, rule = item.tracked.frame, change.matches, change.rule
        actions = {one.action.instance_id: one.action for one in matches if one.action is not None}
        groups = {one.group_id for one in actions.values() if one.group_id is not None}
        scores = [action.peak_score for action in actions.values()]
        origin = f"{self.stamp.run_id}/{self.camera_id}"
        return AlarmEvent(
            kind="alarm",
            phase=change.phase,
            event_id="",
            alarm_id=f"{origin}/alarm-{rule.name}/{change.ordinal}",
            camera_id=self.camera_id,
            run_id=self.stamp.run_id,
            seq=UNNUMBERED,
            rule=rule.name,
            severity=rule.severity,
            zone=next((one.zone for one in matches if one.zone is not None), None),
            track_ids=shown_ids(matches, self._scene),
            group_ids=tuple(sorted(groups)),
            instance_ids=tuple(actions),
            score=round(max(scores), 4) if scores else None,
            start_pts_s=round(change.start_pts_s, 3),
            end_pts_s=round(change.end_pts_s, 3),
            start_time=self._utc(change.start_pts_s, frame),
            end_time=self._utc(change.end_pts_s, frame),
            frame_index=frame.index,
            frame_wh=frame.wh,
            xyxy=self._around(change),
            reason=reason_of(change, self._scene),
            held_back=change.held_back,
            end_reason=end_reason if change.phase == "end" else None,
            latency_ms=self._latency_ms(item),
        )

    def _utc(self, pts_s: float, frame: Frame) -> str | None:
        """Return the time of day of a media time, as far before the frame as it was."""
        if not self.stamp.wall_clock:
            return None
        return format_utc(frame.seen_at - (frame.pts_s - pts_s))

    def _around(self, change: AlarmChange) -> tuple[float, float, float, float] | None:
        known = [self._scene.known(one) for match in change.matches for one in match.people]
        boxes = [person.xyxy for person in known if person is not None]
        if not boxes:
            return None
        every = np.stack(boxes)
        low, high = every[:, :2].min(axis=0).tolist(), every[:, 2:].max(axis=0).tolist()
        x1, y1, x2, y2 = (round(v, 1) for v in (*low, *high))
        return x1, y1, x2, y2

    def _latency_ms(self, item: DecidedFrame) -> dict[str, float]:
        if not self.stamp.wall_clock:
            return {}
        total_s = self.stamp.now() - item.tracked.frame.captured_at
        stages: Mapping[str, float] = item.latency_s
        return {
            stage: round(1e3 * seconds, 1)
            for stage, seconds in {**stages, "total": total_s}.items()
        }

    def _with_alarms(self, item: DecidedFrame, alarms: tuple[AlarmEvent, ...]) -> DecidedFrame:
        events: tuple[Event, ...] = (*item.events, *alarms)
        return replace(item, events=events) if alarms else item

    def _log_limits(self) -> None:
        for name, one in self._rules.items():
            if one.held_back and name not in self._reported:
                self._reported.add(name)
                log.warning(
                    "%s: rule %s has had %s alarms in an hour; more are held back, and the next "
                    "one says how many (max_per_hour)",
                    printable(self.camera_id),
                    name,
                    one.rule.max_per_hour,
                )
            elif not one.held_back:
                self._reported.discard(name)


def _changed_places(old: CameraRules, new: CameraRules) -> set[str]:
    """Return the zones and lines, and the ground, that are not the same in both; see `places`."""
    zones = {zone.name: zone for zone in new.zones}
    lines = {line.name: line for line in new.lines}
    changed = {
        zone.name
        for zone in old.zones
        if zone.name not in zones or not zone.is_same_as(zones[zone.name])
    }
    changed |= {line.name for line in old.lines if lines.get(line.name) != line}
    return changed | ({GROUND} if old.plane is not new.plane else set())
