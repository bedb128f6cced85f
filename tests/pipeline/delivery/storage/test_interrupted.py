"""What a killed run left open ends with the reason `interrupted`, under the next number."""

from __future__ import annotations

from pipeline.delivery.storage.interrupted import closing_event, closing_events, text_if_open
from pipeline.events import ActionEvent, AlarmEvent, CameraEvent, encode_event
from tests.pipeline.decided_items import (
    make_alarm_event,
    make_camera_event,
    make_event,
    make_evidence_event,
)


def test_an_action_ends_as_its_newest_event_had_it() -> None:
    update = make_event(4, "update", score=0.6, latency_ms={"total": 12.0})
    end = closing_event(update, 9)
    assert isinstance(end, ActionEvent)
    assert (end.kind, end.end_reason, end.seq) == ("end", "interrupted", 9)
    assert (end.event_id, end.instance_id) == ("run/gate/9", update.instance_id)
    assert (end.score, end.end_pts_s, end.latency_ms) == (0.6, update.end_pts_s, {})


def test_a_camera_goes_down() -> None:
    down = closing_event(make_camera_event(1, pts_s=3.0), 5)
    assert isinstance(down, CameraEvent)
    assert (down.kind, down.reason, down.seq) == ("camera_down", "interrupted", 5)
    assert (down.event_id, down.pts_s) == ("run/gate/5", 3.0)


def test_an_alarm_ends_as_its_newest_event_had_it() -> None:
    update = make_alarm_event(4, "update", held_back=2, snapshot="gate/1.jpg")
    end = closing_event(update, 9)
    assert isinstance(end, AlarmEvent)
    assert (end.phase, end.end_reason, end.seq) == ("end", "interrupted", 9)
    assert (end.alarm_id, end.snapshot, end.held_back) == (update.alarm_id, "gate/1.jpg", 0)


def test_a_camera_goes_down_after_its_actions_and_alarms_have_ended() -> None:
    newest = [make_alarm_event(3), make_camera_event(1), make_event(2)]
    open_ones = {event.interval_id: encode_event(event) for event in newest}
    closing = closing_events(open_ones, {"run/gate": 3})
    assert [(event.kind, event.seq) for event in closing] == [
        ("end", 4),
        ("alarm", 5),
        ("camera_down", 6),
    ]


def test_what_has_ended_or_never_lasts_is_not_open() -> None:
    assert text_if_open(make_alarm_event(1, "update")) is not None
    for over in (
        make_event(1, "end"),
        make_alarm_event(1, "end"),
        make_evidence_event(1),
        make_camera_event(1, "camera_down"),
    ):
        assert text_if_open(over) is None


def test_evidence_of_an_alarm_that_continues_does_not_end_it() -> None:
    assert make_evidence_event(4).interval_id != make_alarm_event(3).interval_id
