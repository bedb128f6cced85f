"""Counts of a camera's events, as Prometheus shows them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from pipeline.events import ActionEvent, AlarmEvent, Event


@dataclass(slots=True)
class EventCounters:
    """How many events there were since the start."""

    events: Counter[tuple[str, str]] = field(default_factory=Counter)  # by action and kind; the
    # action of events that have none is empty
    alarms: Counter[tuple[str, str]] = field(default_factory=Counter)  # that started, by rule and
    # severity

    def expect(self, actions: Iterable[str], alarms: Iterable[tuple[str, str]]) -> None:
        """Begin at 0 with what may come: Prometheus sees no increase where a series begins at 1.

        Args:
            actions: that may start.
            alarms: rules with their severities.
        """
        self.events.update(dict.fromkeys(((action, "start") for action in actions), 0))
        self.alarms.update(dict.fromkeys(alarms, 0))

    def copy(self) -> EventCounters:
        """Return counts that are independent of these."""
        return EventCounters(self.events.copy(), self.alarms.copy())

    def add(self, event: Event) -> None:
        """Count an event; an alarm counts as one alarm when it starts."""
        action = event.action if isinstance(event, ActionEvent) else ""
        self.events[action, event.kind] += 1
        if isinstance(event, AlarmEvent) and event.phase == "start":
            self.alarms[event.rule, event.severity] += 1
