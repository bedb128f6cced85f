"""The events that end what a killed process left open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.events import ActionEvent, AlarmEvent, CameraEvent, Event, decode_event, encode_event


def closing_events(unfinished: Mapping[str, str], newest: Mapping[str, int]) -> list[Event]:
    """Make the ends of what is open: of actions, of alarms, then that the cameras are down.

    Args:
        unfinished: text of the newest event of each, by its `interval_id`.
        newest: sequence numbers by origin, which the ends follow.

    Raises:
        EventError: if the events have the schema of another version.
    """
    events = [decode_event(text) for _, text in sorted(unfinished.items())]
    events.sort(key=lambda event: (event.kind == "camera_up", event.kind == "alarm"))
    numbers, closing = dict(newest), list[Event]()
    for event in events:
        numbers[event.origin] += 1
        closing.append(closing_event(event, numbers[event.origin]))
    return closing


def text_if_open(event: Event, text: str | None = None) -> str | None:
    """Return the text of an event, encoded unless it is given; None if no event ends it later."""
    return text or encode_event(event) if event.is_open else None


def closing_event(unfinished: Event, seq: int) -> Event:
    """Make the end of an action, alarm or camera from the newest event that its run wrote of it.

    Args:
        unfinished: a `start`, `update` or `camera_up`, or an alarm in these phases.
        seq: the next sequence number of its camera and run.
    """
    changes: dict[str, Any] = {"seq": seq, "event_id": f"{unfinished.origin}/{seq}"}
    if isinstance(unfinished, CameraEvent):
        return unfinished.model_copy(
            update=changes | {"kind": "camera_down", "reason": "interrupted"}
        )
    changes |= {"end_reason": "interrupted", "latency_ms": {}}
    if isinstance(unfinished, AlarmEvent):
        return unfinished.model_copy(update=changes | {"phase": "end", "held_back": 0})
    assert isinstance(unfinished, ActionEvent)
    return unfinished.model_copy(update=changes | {"kind": "end"})
