"""The event schema: what leaves the process, the same in JSON lines and on Redis.

This file needs pydantic alone, so that a subscriber can import it without the models.
"""

from __future__ import annotations

import json
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

SCHEMA: Literal[1] = 1  # grows with every change of a field's name, type or meaning

EventKind = Literal["start", "update", "end"]
EndReason = Literal["below_threshold", "track_ended", "stream_ended"]


class EventError(ValueError):
    """A text that is not an event of this schema; the message says what does not fit."""


class ActionEvent(BaseModel):
    """An action of one person starts, goes on, or ends."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # `schema` is the name on the wire; the attribute differs because pydantic has a method of it.
    schema_version: Literal[1] = Field(default=SCHEMA, alias="schema")
    kind: EventKind
    event_id: str  # unique; a repeated delivery carries the same one
    instance_id: str  # one action of one person, shared by its start, updates and end
    camera_id: str
    run_id: str  # one run of the program
    seq: int = Field(ge=1)  # per camera and run, from 1, without holes
    track_id: int  # the person, unique in (camera_id, run_id)
    action: str
    score: float = Field(ge=0, le=1)  # smoothed, now
    peak_score: float = Field(ge=0, le=1)  # highest smoothed score of this instance so far
    start_pts_s: float  # media time at which the score rose above the start threshold
    end_pts_s: float  # media time up to which the action is known to go on
    start_time: str | None  # UTC of start_pts_s, ISO 8601; None without a wall clock
    end_time: str | None  # UTC of end_pts_s
    frame_index: int = Field(ge=0)  # frame at which this was decided
    xyxy: tuple[float, float, float, float]  # box, pixels of the original frame, newest known
    frame_wh: tuple[int, int]  # width and height of the original frame, pixels
    model: str  # the recognizer's name
    end_reason: EndReason | None = None  # on `end` only
    latency_ms: dict[str, float]  # by stage; empty without a wall clock


def encode_event(event: ActionEvent) -> str:
    """One line of compact JSON with the keys in the order of the schema."""
    return json.dumps(
        event.model_dump(by_alias=True, mode="json"), separators=(",", ":"), allow_nan=False
    )


def decode_event(text: str | bytes) -> ActionEvent:
    """Read what `encode_event` wrote.

    Raises:
        EventError: if it is no JSON, of another schema version, or a field does not fit.
    """
    try:
        fields = json.loads(text)
    except ValueError as error:
        raise EventError(f"an event must be JSON: {error}") from error
    version = fields.get("schema") if isinstance(fields, dict) else None
    if version != SCHEMA:
        raise EventError(f"this program reads event schema {SCHEMA}, this event has {version!r}")
    try:
        return ActionEvent.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise EventError(f"event field {field!r}: {first['msg']}") from error
