"""The event schema, the same in JSON lines and on Redis.

This module needs pydantic alone, so that a subscriber can import it without the models.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from pipeline.printable import printable

SCHEMA: Literal[4] = 4  # incremented with every change of a field's name, type or meaning

EventKind = Literal["start", "update", "end"]
CameraEventKind = Literal["camera_up", "camera_down"]
Severity = Literal["info", "warning", "critical"]
EndReason = Literal[
    "below_threshold",
    "track_ended",  # the person is no longer tracked
    "rule_removed",  # a reload of the configuration: the action is no longer of interest
    "group_ended",  # the members of the group parted, are no longer tracked, or joined an older one
    "stream_ended",
    "camera_down",
    "interrupted",
]
AlarmEndReason = Literal[
    "over",  # what the rule demands is no longer so
    "rule_removed",  # the rule, its zone or its schedule was changed or removed while it ran
    "stream_ended",
    "camera_down",
    "interrupted",
]
DownReason = Literal[
    "stream_ended",  # end of a file
    "stopped",  # the run ended, or this camera was removed from it
    "failed",  # a file could not be read, or not to its end
    "interrupted",  # the process died
    # A live camera; the connection is retried until it succeeds. Of a recording: `stalled` is a gap
    # in it, `format_changed` another frame size.
    "unreachable",  # no answer, or the connection is refused
    "unauthorized",  # user or password are rejected
    "not_found",  # the camera has no such path
    "unreadable",  # the stream is no decodable video
    "disconnected",  # the camera ended the stream
    "stalled",  # connected, but no frame arrived
    "delayed",  # so far behind real time that only a reconnect could help
    "format_changed",  # resolution or codec changed
    "decoder_crashed",
]


_PERSONS_ONLY = 3  # the schema before: the same without groups, so its events are read as well
UNNUMBERED = (
    1  # the `seq` of an event, beside the event id "", until the end of the chain of stages
)
MAX_EVENT_BYTES = 65_536  # longer texts are no events; those of this program have about 1 kB
_LONGEST_PROBLEM = 200  # characters of a message about a text that is no event
_EXACT = 2**53 - 1  # the largest integer that every reader of JSON has exactly
_LARGEST = 1e15  # of a time or a coordinate; far beyond any clock or image


def _exact(number: int) -> int:
    if abs(number) > _EXACT:
        raise ValueError("the number is beyond 2**53 - 1")
    return number


def _measurable(number: float) -> float:
    if abs(number) > _LARGEST:
        raise ValueError("the number is beyond 1e15")
    return number


def _point_in_time(text: str) -> str:
    time = datetime.fromisoformat(text)  # which raises ValueError
    if time.tzinfo is None:
        raise ValueError("the time names no time zone")
    if not 1 < time.year < 9999:  # so that it can be converted to any other zone
        raise ValueError("the time is beyond every calendar")
    return text


# The limits are no part of the published JSON Schema: no event of this program ever exceeds them.
_Integer = Annotated[int, AfterValidator(_exact)]
_Real = Annotated[float, AfterValidator(_measurable)]
_UtcText = Annotated[str, AfterValidator(_point_in_time)]


class EventError(ValueError):
    """A text that is not an event of this schema; the message names the invalid field.

    The message is short and printable, whatever the text holds.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(printable(problem, _LONGEST_PROBLEM))


class _Event(BaseModel):
    """Fields of every event."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    # `schema` is the name on the wire; the attribute differs because pydantic has a method of it.
    schema_version: Literal[4] = Field(default=SCHEMA, alias="schema")
    event_id: str  # unique; a repeated delivery carries the same one
    camera_id: str
    run_id: str  # one run of the program
    seq: _Integer = Field(ge=1)  # per camera and run, from 1, without gaps

    @property
    def origin(self) -> str:
        """The scope of `seq`: one camera in one run, `run_id/camera_id`."""
        return f"{self.run_id}/{self.camera_id}"

    @property
    def is_update(self) -> bool:
        """Whether it reports that something continues, and nothing new."""
        return False

    @property
    def is_open(self) -> bool:
        """Whether an event with the same `interval_id` is to end what it reports."""
        return False


class ActionEvent(_Event):
    """An action of one person, or of one group of people, starts, goes on, or ends."""

    kind: EventKind
    instance_id: str  # one action of one subject, shared by its start, updates and end
    track_id: _Integer | None  # the person, unique in (camera_id, run_id); None: of a group
    track_ids: tuple[_Integer, ...] = ()  # all ids that the person had, in order, the last one is
    # track_id: a tracker that lost the person gave a new one; (): of a group, or of an older event
    group_id: _Integer | None = None  # the group, unique in (camera_id, run_id); None: of a person
    members: tuple[_Integer, ...] = ()  # track ids in the group now, ascending; (): of a person
    action: str
    score: float = Field(ge=0, le=1)  # smoothed score at this event
    peak_score: float = Field(ge=0, le=1)  # highest smoothed score of this instance so far
    start_pts_s: _Real  # media time at which the score rose above the start threshold
    end_pts_s: _Real  # media time up to which the action is known to last
    start_time: _UtcText | None  # UTC of start_pts_s, ISO 8601; None without a wall clock
    end_time: _UtcText | None  # UTC of end_pts_s
    frame_index: _Integer = Field(ge=0)  # frame at which the event was decided
    xyxy: tuple[_Real, _Real, _Real, _Real]  # newest known box of the person, or
    # around the group; pixels of the original frame
    frame_wh: tuple[_Integer, _Integer]  # width and height of the original frame, pixels
    model: str  # the recognizer's name
    end_reason: EndReason | None = None  # on `end` only
    latency_ms: dict[str, _Real]  # decode, detect, track, clip, recognize, decide: each from the
    # one before, the first from capture; total: from capture. Empty without a wall clock

    @property
    def interval_id(self) -> str:
        """What a start and an end have in common: the instance id."""
        return self.instance_id

    @property
    def is_update(self) -> bool:
        """Whether it is an update of the action."""
        return self.kind == "update"

    @property
    def is_open(self) -> bool:
        """Whether the action continues."""
        return self.kind != "end"

    @property
    def people(self) -> tuple[int, ...]:
        """Track ids of everyone who does it: the person, or the members of the group."""
        return self.members if self.track_id is None else (self.track_id,)

    @model_validator(mode="after")
    def _has_one_subject(self) -> ActionEvent:
        if (self.track_id is None) == (self.group_id is None):
            raise ValueError("either track_id or group_id is null, and not both")
        if (self.group_id is None) != (not self.members):
            raise ValueError("the event of a group has members, and that of a person has none")
        if self.track_ids and self.track_ids[-1] != self.track_id:
            raise ValueError("the last of track_ids is track_id, and a group has none")
        return self


class AlarmEvent(_Event):
    """What a rule demands begins, continues, or is over."""

    kind: Literal["alarm"]
    phase: EventKind
    alarm_id: str  # shared by the start, the updates and the end of one alarm
    rule: str  # its name in the configuration
    severity: Severity
    reason: str  # in words, for people
    zone: str | None  # where; None: anywhere in the image
    track_ids: tuple[_Integer, ...]  # of the people who took part so far, ascending
    group_ids: tuple[_Integer, ...]  # of their groups, ascending
    instance_ids: tuple[str, ...]  # of the actions behind it, oldest first
    score: float | None = Field(ge=0, le=1)  # highest smoothed score so far; None: no action
    start_pts_s: _Real  # media time at which what the rule demands began
    end_pts_s: _Real  # media time up to which it is known to last
    start_time: _UtcText | None  # UTC of start_pts_s, ISO 8601; None without a wall clock
    end_time: _UtcText | None  # UTC of end_pts_s
    frame_index: _Integer = Field(ge=0)  # frame at which the event was decided
    xyxy: tuple[_Real, _Real, _Real, _Real] | None  # around the people in question, pixels of the
    # original frame; None: there are none
    frame_wh: tuple[_Integer, _Integer]  # width and height of the original frame, pixels
    held_back: _Integer = Field(default=0, ge=0)  # alarms of this rule and camera that its limit
    # held back since the one before; on `start` only
    snapshot: str | None = None  # path of a JPEG, relative to the evidence folder
    end_reason: AlarmEndReason | None = None  # on `end` only
    latency_ms: dict[str, _Real]  # as of an action

    @property
    def interval_id(self) -> str:
        """What a start and an end have in common: the alarm id."""
        return self.alarm_id

    @property
    def is_update(self) -> bool:
        """Whether it is an update of the alarm."""
        return self.phase == "update"

    @property
    def is_open(self) -> bool:
        """Whether the alarm continues."""
        return self.phase != "end"


class EvidenceEvent(_Event):
    """A clip or a late snapshot of an alarm or an action can be read from now on."""

    kind: Literal["evidence"]
    alarm_id: str | None  # what it shows; None: an action
    instance_id: str | None  # what it shows; None: an alarm
    media: Literal["clip", "snapshot"]
    path: str  # relative to the evidence folder
    codec: str  # of the images, such as h264, hevc or jpeg
    start_pts_s: _Real  # media time of its first frame
    end_pts_s: _Real  # media time of its last frame
    time: _UtcText | None  # UTC of start_pts_s, ISO 8601; None without a wall clock
    duration_s: _Real = Field(ge=0)
    size_bytes: _Integer = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")

    @property
    def interval_id(self) -> str:
        """The event's id: nothing follows it."""
        return self.event_id

    @model_validator(mode="after")
    def _shows_one_thing(self) -> EvidenceEvent:
        if (self.alarm_id is None) == (self.instance_id is None):
            raise ValueError("either alarm_id or instance_id is null, and not both")
        return self


class CameraEvent(_Event):
    """A camera can be seen from now on, or no longer."""

    kind: CameraEventKind
    pts_s: _Real  # media time: of the first frame, or of the last one; 0 if there was none
    time: _UtcText | None  # UTC of that frame or this event, ISO 8601; None without a wall clock
    reason: DownReason | None = None  # on `camera_down` only

    @property
    def interval_id(self) -> str:
        """What `camera_up` and `camera_down` have in common: the origin."""
        return self.origin

    @property
    def is_open(self) -> bool:
        """Whether the camera can be seen."""
        return self.kind == "camera_up"


@dataclass(frozen=True, slots=True)
class SequenceGap:
    """Events of one camera and run that are missing from the stream."""

    origin: str  # run_id/camera_id
    first_seq: int
    last_seq: int

    def __str__(self) -> str:
        return f"{self.origin}: events {self.first_seq} to {self.last_seq} are missing"


Event = ActionEvent | CameraEvent | AlarmEvent | EvidenceEvent
_ANY_EVENT: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="kind")])


def encode_event(event: Event) -> str:
    """Encode an event as one line of compact JSON, keys in the order of the schema."""
    return json.dumps(
        event.model_dump(by_alias=True, mode="json"), separators=(",", ":"), allow_nan=False
    )


def decode_event(text: str | bytes) -> Event:
    """Decode and validate what `encode_event` wrote.

    An event of schema 3, as an earlier version of this program wrote it, is read as one of today:
    it is of a person, and has no group.

    Args:
        text: one JSON object, str or UTF-8.

    Raises:
        EventError: for anything else, whatever it is: not UTF-8, not JSON, nested too deeply, too
            long, a key given twice, another schema version, a field missing, unknown or invalid.
    """
    if len(text) > MAX_EVENT_BYTES:
        raise EventError(f"an event has at most {MAX_EVENT_BYTES} bytes, this text has {len(text)}")
    try:
        # Decoded here, strictly: `json` also guesses UTF-16 and UTF-32, and accepts surrogates.
        text = text.encode() if isinstance(text, str) else text
        fields = _STRICT_JSON.decode(text.decode())
    except RecursionError:
        raise EventError("an event must be JSON that is not nested deeply") from None
    except ValueError as error:
        raise EventError(f"an event must be JSON: {error}") from None
    version = fields.get("schema") if isinstance(fields, dict) else None
    if type(version) is int and version == _PERSONS_ONLY:
        text = json.dumps(fields | {"schema": SCHEMA})
    elif type(version) is not int or version != SCHEMA:
        found = repr(version) if isinstance(version, str | int | float | None) else "no number"
        raise EventError(f"this program reads event schema {SCHEMA}, this event has {found}")
    try:
        return _ANY_EVENT.validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        if first["type"] == "json_invalid":  # stricter than `json`: surrogates, nesting
            raise EventError(f"an event must be JSON: {first['msg']}") from None
        # The first entry is the kind, by which the model was selected.
        field = ".".join(str(part) for part in first["loc"][1:]) or "kind"
        raise EventError(f"event field {field!r}: {first['msg']}") from None


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("a key is given twice")
    return fields


_STRICT_JSON = json.JSONDecoder(object_pairs_hook=_without_repetition)  # made once, not per event


def event_json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of one event."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"behaviour-stream event, schema {SCHEMA}",
        **_ANY_EVENT.json_schema(by_alias=True),
    }
