from __future__ import annotations

import json
from contextlib import suppress

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.events import (
    SCHEMA,
    ActionEvent,
    CameraEvent,
    Event,
    EventError,
    decode_event,
    encode_event,
    event_json_schema,
)
from tests.conftest import REPOSITORY
from tests.pipeline.decided_items import make_alarm_event, make_evidence_event
from tests.pipeline.poison import POISON

EVENT = ActionEvent(
    kind="start",
    event_id="r/gate/1",
    instance_id="r/gate/7/walk/1",
    camera_id="gate",
    run_id="r",
    seq=1,
    track_id=7,
    action="walk",
    score=0.91,
    peak_score=0.93,
    start_pts_s=1.5,
    end_pts_s=2.0,
    start_time="2026-01-01T00:00:01.500Z",
    end_time=None,
    frame_index=20,
    xyxy=(1.0, 2.5, 30.0, 40.0),
    frame_wh=(64, 48),
    model="net",
    latency_ms={"total": 12.5},
)

GROUP_EVENT = EVENT.model_copy(update={"track_id": None, "group_id": 3, "members": (7, 9)})

CAMERA_EVENT = CameraEvent(
    kind="camera_down",
    event_id="r/gate/2",
    camera_id="gate",
    run_id="r",
    seq=2,
    pts_s=12.5,
    time="2026-01-01T00:00:12.500Z",
    reason="stream_ended",
)
ALARM_EVENT = make_alarm_event(3)
EVIDENCE_EVENT = make_evidence_event(4)
# The contract with every subscriber: the file of a published version never changes.
PUBLISHED = REPOSITORY / "docs" / f"event-schema-{SCHEMA}.json"


def test_what_is_encoded_is_decoded() -> None:
    assert decode_event(encode_event(EVENT)) == EVENT
    assert decode_event(encode_event(EVENT).encode()) == EVENT


def test_the_event_of_a_group_names_its_members_and_no_person() -> None:
    fields = json.loads(encode_event(GROUP_EVENT))
    assert (fields["track_id"], fields["group_id"], fields["members"]) == (None, 3, [7, 9])
    assert decode_event(encode_event(GROUP_EVENT)) == GROUP_EVENT
    fields = json.loads(encode_event(EVENT))
    assert (fields["track_id"], fields["group_id"], fields["members"]) == (EVENT.track_id, None, [])


@pytest.mark.parametrize("event", [EVENT, CAMERA_EVENT], ids=["action", "camera"])
def test_an_event_of_the_schema_before_groups_is_read_as_that_of_a_person(event: Event) -> None:
    """A stream and an outbox still hold some after an upgrade."""
    fields = json.loads(encode_event(event)) | {"schema": 3}
    new = ("group_id", "members", "track_ids")
    before = {key: value for key, value in fields.items() if key not in new}
    jsonschema.validate(before, json.loads((PUBLISHED.parent / "event-schema-3.json").read_text()))
    assert decode_event(json.dumps(before)) == event


@pytest.mark.parametrize(
    ("event", "changes", "message"),
    [
        (EVENT, {"track_ids": [5, 6]}, "the last of track_ids is track_id"),
        (GROUP_EVENT, {"track_ids": [7]}, "a group has none"),
        (ALARM_EVENT, {"severity": "high"}, "severity"),
        (EVIDENCE_EVENT, {"alarm_id": None}, "either alarm_id or instance_id"),
        (EVIDENCE_EVENT, {"instance_id": "r/gate/7/walk/1"}, "either alarm_id or instance_id"),
        (EVIDENCE_EVENT, {"sha256": "ab"}, "sha256"),
    ],
)
def test_an_event_that_contradicts_itself_is_refused(
    event: Event, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(EventError, match=message):
        decode_event(json.dumps(json.loads(encode_event(event)) | changes))


def test_an_event_is_one_line() -> None:
    assert "\n" not in encode_event(EVENT.model_copy(update={"camera_id": "two\nlines"}))


def test_this_schema_version_is_the_published_one() -> None:
    """After a change: count SCHEMA up and write `run_pipeline.py schema` to the next file."""
    assert event_json_schema() == json.loads(PUBLISHED.read_text())


@pytest.mark.parametrize(
    "event",
    [EVENT, GROUP_EVENT, CAMERA_EVENT, ALARM_EVENT, EVIDENCE_EVENT],
    ids=["person", "group", "camera", "alarm", "evidence"],
)
def test_events_fit_the_published_schema(event: Event) -> None:
    schema = json.loads(PUBLISHED.read_text())
    fields = json.loads(encode_event(event))
    jsonschema.validate(fields, schema)
    assert fields["schema"] == SCHEMA
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(fields | {"kind": "pause"}, schema)


def test_kinds_distinguish_the_sorts_of_events() -> None:
    assert decode_event(encode_event(ALARM_EVENT)) == ALARM_EVENT
    assert decode_event(encode_event(EVIDENCE_EVENT)) == EVIDENCE_EVENT
    assert decode_event(encode_event(CAMERA_EVENT)) == CAMERA_EVENT
    assert CAMERA_EVENT.origin == EVENT.origin == "r/gate"


def changed(**fields: object) -> str:
    return json.dumps({**json.loads(encode_event(EVENT)), **fields})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hello", "must be JSON"),
        ("[1, 2]", "this event has None"),
        (changed(schema=1), "this event has 1"),
        (changed(score=1.5), "'score'"),
        (changed(seq=0), "'seq'"),
        (changed(kind="pause"), "does not match any of the expected tags"),
        (changed(extra=1), "'extra'"),
        (changed(xyxy=[1, 2, 3]), "'xyxy"),
        (changed(track_id=None), "either track_id or group_id is null"),
        (changed(group_id=3), "either track_id or group_id is null"),
        (changed(members=[7, 9]), "that of a person has none"),
        (changed(track_id=None, group_id=3), "the event of a group has members"),
        (changed(schema=2), "reads event schema 4, this event has 2"),
        (changed(schema=3, seq=0), "'seq'"),
    ],
)
def test_an_invalid_field_is_named(text: str, message: str) -> None:
    with pytest.raises(EventError, match=message):
        decode_event(text)


@pytest.mark.parametrize("name", POISON)
def test_whatever_is_no_event_is_an_error_that_is_short_and_printable(name: str) -> None:
    with pytest.raises(EventError) as failure:
        decode_event(POISON[name])
    assert str(failure.value).isprintable()
    assert 0 < len(str(failure.value)) <= 200


def test_a_text_with_half_a_character_is_no_event() -> None:
    with pytest.raises(EventError, match="must be JSON"):
        decode_event("\ud800")


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_no_text_raises_anything_else(text: bytes | str) -> None:
    with suppress(EventError):
        decode_event(text)


@given(
    st.sampled_from([EVENT, CAMERA_EVENT]),
    st.dictionaries(st.sampled_from([*ActionEvent.model_fields, "x", "schema"]), JSON_VALUES),
    st.integers(0, 600),
)
def test_what_a_changed_event_decodes_to_is_an_event(
    event: Event, changes: dict[str, object], cut: int
) -> None:
    """Whatever is accepted can be encoded again, and sent on, and is the same."""
    text = json.dumps({**json.loads(encode_event(event)), **changes})
    for candidate in (text, text[:cut] + text[cut + 1 :]):
        with suppress(EventError):
            decoded = decode_event(candidate)
            assert decode_event(encode_event(decoded)) == decoded
