"""Select events by camera, kind, action and score, and alarms by rule, severity, zone and phase."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import get_args

from pipeline.events import (
    ActionEvent,
    AlarmEvent,
    CameraEventKind,
    Event,
    EventKind,
    Severity,
)

KINDS: tuple[str, ...] = (
    *get_args(EventKind),
    "alarm",
    "evidence",
    *get_args(CameraEventKind),
)
SEVERITIES: tuple[str, ...] = get_args(Severity)
PHASES: tuple[str, ...] = get_args(EventKind)
_KEYS = ("camera", "action", "kind", "score", "rule", "severity", "zone", "phase")
_EXPECTED = f"{'=, '.join(_KEYS[:-1])}= or {_KEYS[-1]}="
_OF_ALARMS = frozenset(("rule", "severity", "zone", "phase"))  # one of them means: alarms alone


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Conditions on an event, combined with AND; an empty condition matches every event.

    A condition on something that a kind of event does not have, as an alarm has no action, does
    not concern events of this kind.

    Raises:
        ValueError: if a kind, severity or phase is unknown or the score is outside of [0, 1].
    """

    cameras: tuple[str, ...] = ()  # ids or shell patterns: gate, gate-*
    actions: tuple[str, ...] = ()  # names or shell patterns, of actions
    kinds: tuple[str, ...] = get_args(EventKind)
    min_score: float = 0.0  # in [0, 1]; compared with the peak score of an action or alarm
    rules: tuple[str, ...] = ()  # names or shell patterns, of alarms
    severities: tuple[str, ...] = ()  # of alarms
    zones: tuple[str, ...] = ()  # names or shell patterns, of alarms
    phases: tuple[str, ...] = ()  # of alarms

    def __post_init__(self) -> None:
        for name, values, known in (
            ("kind", self.kinds, KINDS),
            ("severity", self.severities, SEVERITIES),
            ("phase", self.phases, PHASES),
        ):
            if unknown := sorted(set(values) - set(known)):
                raise ValueError(
                    f"there are no events of {name} {unknown}; possible are {list(known)}"
                )
        if not 0 <= self.min_score <= 1:
            raise ValueError(f"a score is between 0 and 1, not {self.min_score}")

    def matches(self, event: Event) -> bool:
        """Return whether the event meets all conditions."""
        if event.kind not in self.kinds or not _any_matches(self.cameras, event.camera_id):
            return False
        if isinstance(event, ActionEvent):
            # The peak score: if the start of an action matched, its end matches too.
            return _any_matches(self.actions, event.action) and event.peak_score >= self.min_score
        if isinstance(event, AlarmEvent):
            return self._matches_alarm(event)
        return True

    def _matches_alarm(self, event: AlarmEvent) -> bool:
        return (
            _any_matches(self.rules, event.rule)
            and (not self.severities or event.severity in self.severities)
            and (
                not self.zones or (event.zone is not None and _any_matches(self.zones, event.zone))
            )
            and (not self.phases or event.phase in self.phases)
            and (event.score is None or event.score >= self.min_score)
        )


def parse_filter(conditions: Iterable[str], kinds: tuple[str, ...] = KINDS) -> EventFilter:
    """Parse conditions such as `camera=gate-*`, `action=fight`, `kind=start,end`, `score=0.8`.

    Several values of one key are separated by commas or given as several conditions.

    Args:
        conditions: texts of the form `key=value[,value...]`; `score` is a minimum.
        kinds: used if no condition names a kind; alarms alone if one is of alarms alone, as
            `rule=night`.

    Raises:
        ValueError: if a condition cannot be parsed; the message quotes it.
    """
    values: dict[str, tuple[str, ...]] = {}
    for condition in conditions:
        key, equals, text = condition.partition("=")
        given = tuple(value.strip() for value in text.split(",") if value.strip())
        if not equals or not given or key not in _KEYS or (key == "score" and len(given) > 1):
            raise ValueError(f"{condition!r}: expected {_EXPECTED}")
        values[key] = given if key == "score" else values.get(key, ()) + given
    of_alarms = not _OF_ALARMS.isdisjoint(values)
    return EventFilter(
        cameras=values.get("camera", ()),
        actions=values.get("action", ()),
        kinds=values.get("kind", ("alarm",) if of_alarms else kinds),
        min_score=_number(values["score"][0]) if "score" in values else 0.0,
        rules=values.get("rule", ()),
        severities=values.get("severity", ()),
        zones=values.get("zone", ()),
        phases=values.get("phase", ()),
    )


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"'score={text}': {text!r} is not a number") from None


def _any_matches(patterns: tuple[str, ...], name: str) -> bool:
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)
