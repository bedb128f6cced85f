"""Write events as lines for people, as `subscribe` and `live` print them."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

from pipeline.events import AlarmEvent, CameraEvent, Event, EvidenceEvent
from pipeline.printable import printable
from pipeline.time_text import format_media_time

_VERBS = {"start": "starts", "update": "still", "end": "ended"}


def format_event(event: Event, zone: tzinfo | None = None) -> str:
    """Format an event for people: time of day, camera, media time, who, action, score.

    `2026-11-25 11:53:17+01:00  gate  0:12.3  person 7    starts  walking         93%`
    `2026-11-25 11:53:19+01:00  gate  0:14.3  group 2     starts  hug             85%  persons 7, 9`
    `2026-11-25 11:53:20+01:00  gate  0:15.3  CRITICAL fight starts: fight 0.84 by 7 and 9`

    Args:
        event: one without a wall clock has no time of day.
        zone: of the time of day; None: that of this machine.
    """
    if isinstance(event, CameraEvent):
        why = f": {event.reason.replace('_', ' ')}" if event.reason else ""
        what = f"camera {event.kind.removeprefix('camera_')}{why}"
        media = format_media_time(event.pts_s)
        return printable(f"{_time_of_day(event.time, zone)}{event.camera_id}  {media:>7}  {what}")
    if isinstance(event, AlarmEvent):
        return _format_alarm(event, zone)
    if isinstance(event, EvidenceEvent):
        media = format_media_time(event.start_pts_s)
        what = f"{event.media} {event.path}  {event.duration_s:.1f} s, {event.size_bytes} bytes"
        return printable(f"{_time_of_day(event.time, zone)}{event.camera_id}  {media:>7}  {what}")
    is_start = event.kind == "start"
    at = event.start_time if is_start else event.end_time
    when_s = event.start_pts_s if is_start else event.end_pts_s
    of_group = event.group_id is not None
    who = f"group {event.group_id}" if of_group else f"person {event.track_id}"
    line = (
        f"{_time_of_day(at, zone)}{event.camera_id}  {format_media_time(when_s):>7}  "
        f"{who:<10} "
        f"{_VERBS[event.kind]:<6}  {event.action:<14}  {event.score:4.0%}"
    )
    if event.kind == "end":
        why = f", {event.end_reason.replace('_', ' ')}" if event.end_reason else ""
        duration_s = event.end_pts_s - event.start_pts_s
        line += f"  after {duration_s:.1f} s, at most {event.peak_score:.0%}{why}"
    if of_group:
        line += f"  persons {', '.join(map(str, event.members))}"
    return printable(line)


def _format_alarm(event: AlarmEvent, zone: tzinfo | None) -> str:
    is_start = event.phase == "start"
    at = event.start_time if is_start else event.end_time
    media = format_media_time(event.start_pts_s if is_start else event.end_pts_s)
    line = (
        f"{_time_of_day(at, zone)}{event.camera_id}  {media:>7}  {event.severity.upper()} "
        f"{event.rule} {_VERBS[event.phase]}: {event.reason}"
    )
    if event.phase == "end":
        why = f", {event.end_reason.replace('_', ' ')}" if event.end_reason else ""
        line += f", after {event.end_pts_s - event.start_pts_s:.1f} s{why}"
    if event.held_back:
        line += f" ({event.held_back} held back before)"
    return printable(line)


def _time_of_day(utc_text: str | None, zone: tzinfo | None) -> str:
    if utc_text is None:
        return ""
    try:
        at = datetime.fromisoformat(utc_text)
        at = (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(zone)
    except (ValueError, OverflowError):  # of another program
        return f"{utc_text}  "
    text = at.isoformat(sep=" ", timespec="seconds")
    return f"{text.replace('+00:00', 'Z') if zone is UTC else text}  "
