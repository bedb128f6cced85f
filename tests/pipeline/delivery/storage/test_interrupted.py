"""What a killed run left open ends with the reason `interrupted`, under the next number."""

from __future__ import annotations

from pipeline.delivery.storage.interrupted import closing_event
from pipeline.events import ActionEvent, CameraEvent
from tests.pipeline.decided_items import make_camera_event, make_event


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
