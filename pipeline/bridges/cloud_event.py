"""An event as a CloudEvent 1.0 in structured JSON (https://github.com/cloudevents/spec, v1.0.2)."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from pipeline.events import ActionEvent, AlarmEvent, Event, EvidenceEvent, encode_event

CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"


def cloud_event(event: Event) -> str:
    """Encode an event as one compact JSON document: attributes, and the event as `data`.

    `source` is the camera as a path, `type` what happens (`behaviour.action.start`,
    `behaviour.alarm.end`, `behaviour.camera.down`), and `subject` the action, the rule or the file
    of evidence. `source` and `id` identify the event.

    Args:
        event: any; one without a wall clock has no `time`.
    """
    kind, subject, time = _described(event)
    attributes: dict[str, Any] = {
        "specversion": "1.0",
        "id": event.event_id,
        "source": f"/cameras/{quote(event.camera_id, safe='')}",
        "type": f"behaviour.{kind}",
        "subject": subject,
        "time": time,
        "datacontenttype": "application/json",
    }
    given = {name: value for name, value in attributes.items() if value}
    envelope = json.dumps(given, separators=(",", ":"))
    return f'{envelope[:-1]},"data":{encode_event(event)}}}'


def _described(event: Event) -> tuple[str, str | None, str | None]:
    """Return the end of the type, the subject, and the time in UTC."""
    if isinstance(event, ActionEvent):
        time = event.start_time if event.kind == "start" else event.end_time
        return f"action.{event.kind}", event.action, time
    if isinstance(event, AlarmEvent):
        time = event.start_time if event.phase == "start" else event.end_time
        return f"alarm.{event.phase}", event.rule, time
    if isinstance(event, EvidenceEvent):
        return f"evidence.{event.media}", event.path, event.time
    return event.kind.replace("_", "."), None, event.time
