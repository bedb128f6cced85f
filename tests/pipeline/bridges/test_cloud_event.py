"""CloudEvents against the reference library."""

from __future__ import annotations

import json
from datetime import datetime

import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_structured
from cloudevents.core.formats.json import JSONFormat

from pipeline.bridges.cloud_event import CONTENT_TYPE, cloud_event
from pipeline.events import Event, encode_event
from tests.pipeline.decided_items import (
    make_alarm_event,
    make_camera_event,
    make_event,
    make_evidence_event,
)

AT, LATER = "2026-11-25T11:53:17.232Z", "2026-11-25T11:53:20.000Z"


@pytest.mark.parametrize(
    ("event", "type_", "subject", "time"),
    [
        (make_event(1, action="räuber", start_time=AT), "action.start", "räuber", AT),
        (make_event(2, "end", start_time=AT, end_time=LATER), "action.end", "walking", LATER),
        (make_event(3, "update"), "action.update", "walking", None),
        (make_camera_event(4, time=AT), "camera.up", None, AT),
        (make_alarm_event(6, start_time=AT, end_time=LATER), "alarm.start", "fight", AT),
        (make_alarm_event(7, "end", end_time=LATER), "alarm.end", "fight", LATER),
        (make_evidence_event(8), "evidence.clip", "gate/2026-01-01/fight-1.mp4", None),
        (make_camera_event(5, "camera_down", reason="stalled"), "camera.down", None, None),
    ],
)
def test_the_reference_library_reads_attributes_and_event(
    event: Event, type_: str, subject: str | None, time: str | None
) -> None:
    message = HTTPMessage({"content-type": CONTENT_TYPE}, cloud_event(event).encode())
    read = from_structured(message, JSONFormat())
    assert (read.get_id(), read.get_type()) == (event.event_id, f"behaviour.{type_}")
    assert read.get_subject() == subject
    assert json.loads(message.body).get("time") == time  # the library would fill in its own
    if time is not None:
        assert read.get_time() == datetime.fromisoformat(time)
    assert read.get_specversion() == "1.0"
    assert read.get_datacontenttype() == "application/json"
    assert read.get_data() == json.loads(encode_event(event))


def test_the_source_is_a_path_whatever_the_camera_is_called() -> None:
    event = make_event(1, camera_id="Straße/门 #1")
    assert json.loads(cloud_event(event))["source"] == "/cameras/Stra%C3%9Fe%2F%E9%97%A8%20%231"
