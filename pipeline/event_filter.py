"""Select events by camera, action, kind and score."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import get_args

from pipeline.events import ActionEvent, CameraEventKind, Event, EventKind

KINDS: tuple[str, ...] = get_args(EventKind) + get_args(CameraEventKind)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Conditions on an event, combined with AND; an empty condition matches every event.

    Raises:
        ValueError: if a kind is unknown or the score is outside of [0, 1].
    """

    cameras: tuple[str, ...] = ()  # ids or shell patterns: gate, gate-*
    actions: tuple[str, ...] = ()  # names or shell patterns; camera events have no action
    kinds: tuple[str, ...] = get_args(EventKind)
    min_score: float = 0.0  # in [0, 1]; compared with the peak score of an action

    def __post_init__(self) -> None:
        unknown = sorted(set(self.kinds) - set(KINDS))
        if unknown:
            raise ValueError(f"there are no events of kind {unknown}; kinds are {list(KINDS)}")
        if not 0 <= self.min_score <= 1:
            raise ValueError(f"a score is between 0 and 1, not {self.min_score}")

    def matches(self, event: Event) -> bool:
        """Return whether the event meets all conditions."""
        if event.kind not in self.kinds or not _any_matches(self.cameras, event.camera_id):
            return False
        if not isinstance(event, ActionEvent):
            return True
        # The peak score: if the start of an action matched, its end matches too.
        return _any_matches(self.actions, event.action) and event.peak_score >= self.min_score


def parse_filter(conditions: Iterable[str], kinds: tuple[str, ...] = KINDS) -> EventFilter:
    """Parse conditions such as `camera=gate-*`, `action=fight`, `kind=start,end`, `score=0.8`.

    Several values of one key are separated by commas or given as several conditions.

    Args:
        conditions: texts of the form `key=value[,value...]`; `score` is a minimum.
        kinds: used if no condition names a kind.

    Raises:
        ValueError: if a condition cannot be parsed; the message quotes it.
    """
    found = EventFilter(kinds=())
    for condition in conditions:
        key, equals, text = condition.partition("=")
        values = tuple(value.strip() for value in text.split(",") if value.strip())
        if not equals or not values:
            raise ValueError(f"{condition!r}: expected camera=, action=, kind= or score=")
        if key == "camera":
            found = replace(found, cameras=found.cameras + values)
        elif key == "action":
            found = replace(found, actions=found.actions + values)
        elif key == "kind":
            found = replace(found, kinds=found.kinds + values)
        elif key == "score" and len(values) == 1:
            found = replace(found, min_score=_number(condition, values[0]))
        else:
            raise ValueError(f"{condition!r}: expected camera=, action=, kind= or score=")
    return found if found.kinds else replace(found, kinds=kinds)


def _number(condition: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{condition!r}: {text!r} is not a number") from None


def _any_matches(patterns: tuple[str, ...], name: str) -> bool:
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)
