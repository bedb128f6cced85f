"""The events that end what a killed process left open."""

from __future__ import annotations

from typing import Any

from pipeline.events import ActionEvent, CameraEvent, Event


def closing_event(unfinished: Event, seq: int) -> Event:
    """Make the end of an action or camera from the newest event that its run wrote of it.

    Args:
        unfinished: a `start`, `update` or `camera_up`.
        seq: the next sequence number of its camera and run.
    """
    changes: dict[str, Any] = {"seq": seq, "event_id": f"{unfinished.origin}/{seq}"}
    if isinstance(unfinished, CameraEvent):
        return unfinished.model_copy(
            update=changes | {"kind": "camera_down", "reason": "interrupted"}
        )
    assert isinstance(unfinished, ActionEvent)
    return unfinished.model_copy(
        update=changes | {"kind": "end", "end_reason": "interrupted", "latency_ms": {}}
    )
