from __future__ import annotations

import json

import pytest

from pipeline.events import ActionEvent, EventError, decode_event, encode_event

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

# The contract with every subscriber: a change here needs a new SCHEMA number.
FIELDS_OF_SCHEMA_1 = [
    "schema", "kind", "event_id", "instance_id", "camera_id", "run_id", "seq", "track_id", "action",
    "score", "peak_score", "start_pts_s", "end_pts_s", "start_time", "end_time", "frame_index",
    "xyxy", "frame_wh", "model", "end_reason", "latency_ms",
]  # fmt: skip


def test_what_is_encoded_is_decoded() -> None:
    assert decode_event(encode_event(EVENT)) == EVENT
    assert decode_event(encode_event(EVENT).encode()) == EVENT


def test_an_event_is_one_line() -> None:
    assert "\n" not in encode_event(EVENT.model_copy(update={"camera_id": "two\nlines"}))


def test_the_fields_of_this_schema_version_are_fixed() -> None:
    assert list(json.loads(encode_event(EVENT))) == FIELDS_OF_SCHEMA_1
    assert json.loads(encode_event(EVENT))["schema"] == 1


def changed(**fields: object) -> str:
    return json.dumps({**json.loads(encode_event(EVENT)), **fields})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("hello", "must be JSON"),
        ("[1, 2]", "this event has None"),
        (changed(schema=2), "this event has 2"),
        (changed(score=1.5), "'score'"),
        (changed(seq=0), "'seq'"),
        (changed(kind="pause"), "'kind'"),
        (changed(extra=1), "'extra'"),
        (changed(xyxy=[1, 2, 3]), "'xyxy"),
    ],
)
def test_what_does_not_fit_is_named(text: str, told: str) -> None:
    with pytest.raises(EventError, match=told):
        decode_event(text)
