"""The text of a message about an event, from templates such as `{what} at {camera}`.

A template has names in braces and nothing else of `str.format`: no attribute, no index, no format.
"""

from __future__ import annotations

from datetime import datetime, tzinfo

from pipeline.bridges.template import literals_of
from pipeline.events import ActionEvent, AlarmEvent, CameraEvent, Event, EvidenceEvent
from pipeline.printable import printable
from pipeline.time_text import format_media_time

FIELDS = (
    "what",
    "phase",
    "camera",
    "zone",
    "severity",
    "score",
    "people",
    "time",
    "reason",
    "event_id",
)
_LONGEST = 300  # characters of a value, which comes from other programs
_NONE = "-"


def check_template(template: str) -> str:
    """Return the template unchanged if it is valid.

    Raises:
        ValueError: if it is not; the message names the mistake.
    """
    literals_of(template, FIELDS, what="a text", example="{what} at {camera}")
    return template


def text_of(template: str, event: Event, zone: tzinfo | None) -> str:
    """Fill in what is known of an event; `-` stands for what it does not have.

    Values are single lines without control characters. `@` is set apart with an invisible
    character: services take `@everyone` in the name of a camera for a call.

    Args:
        template: as returned by `check_template`.
        event: any.
        zone: of the time; None: that of this machine.
    """
    values = dict.fromkeys(FIELDS, _NONE)
    values |= {"camera": event.camera_id, "event_id": event.event_id, "time": _time(event, zone)}
    values |= _described(event)
    shown = {name: _inert(text) for name, text in values.items()}
    return template.format_map(shown)


def _described(event: Event) -> dict[str, str]:
    if isinstance(event, AlarmEvent):
        before = f" ({event.held_back} more of this rule before)" if event.held_back else ""
        return {
            "what": event.rule,
            "phase": event.phase,
            "zone": event.zone or _NONE,
            "severity": event.severity,
            "score": _NONE if event.score is None else f"{event.score:.0%}",
            "people": _listed(event.track_ids),
            "reason": f"{event.reason}{before}",
        }
    if isinstance(event, ActionEvent):
        people = _listed(event.people)
        return {
            "what": event.action,
            "phase": event.kind,
            "score": f"{event.score:.0%}",
            "people": people,
            "reason": f"{event.action} {event.score:.0%} by {people}",
        }
    if isinstance(event, EvidenceEvent):
        return {
            "what": event.media,
            "phase": "ready",
            "reason": f"{event.path}, {event.duration_s:.1f} s",
        }
    assert isinstance(event, CameraEvent)
    reason = (event.reason or event.kind).replace("_", " ")
    return {"what": event.kind.replace("_", " "), "phase": event.kind, "reason": reason}


def _listed(people: tuple[int, ...]) -> str:
    return ", ".join(map(str, people)) or _NONE


def _time(event: Event, zone: tzinfo | None) -> str:
    """Return the time of day; of an event without a wall clock its media time."""
    if isinstance(event, CameraEvent | EvidenceEvent):
        text = event.time
        media_s = event.pts_s if isinstance(event, CameraEvent) else event.start_pts_s
    else:
        is_end = (event.phase if isinstance(event, AlarmEvent) else event.kind) == "end"
        text = event.end_time if is_end else event.start_time
        media_s = event.end_pts_s if is_end else event.start_pts_s
    if text is None:
        return format_media_time(media_s)
    return datetime.fromisoformat(text).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S %Z")


def _inert(text: str) -> str:
    return printable(text, _LONGEST).replace("@", "@\u200b")
