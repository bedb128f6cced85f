from __future__ import annotations

from pipeline.delivery.camera_heartbeat import DOWN_TTL_S, UP_TTL_S, CameraHeartbeat
from pipeline.types import DecidedEnd, StreamEnd
from testbed.clock import Clock
from tests.pipeline.decided_items import make_end, make_item


def test_a_camera_reports_its_frame_rate() -> None:
    clock = Clock()
    heartbeat = CameraHeartbeat("run", clock)
    heartbeat.record(make_item())
    for index in range(1, 20):
        heartbeat.record(make_item(index))
    clock.now += 2.0
    [(camera_id, fields, ttl_s)] = heartbeat.collect()
    assert (camera_id, ttl_s) == ("gate", UP_TTL_S)
    assert fields == {
        "state": "up",
        "since": "1970-01-01T00:16:40.000Z",
        "run_id": "run",
        "fps": "10.0",
        "last_frame": "1970-01-01T00:00:00.000Z",
    }
    clock.now += 2.0
    [(_, fields, _)] = heartbeat.collect()
    assert fields["fps"] == "0.0"


def test_a_camera_that_is_down_is_reported_once_and_longer() -> None:
    clock = Clock()
    heartbeat = CameraHeartbeat("run", clock)
    heartbeat.record(make_item())
    clock.now += 5.0
    heartbeat.record(make_end())
    [(_, fields, ttl_s)] = heartbeat.collect()
    assert (fields["state"], fields["since"]) == ("down", "1970-01-01T00:16:45.000Z")
    assert "fps" not in fields
    assert ttl_s == DOWN_TTL_S
    assert list(heartbeat.collect()) == []
    heartbeat.record(make_item(1))
    [(_, fields, _)] = heartbeat.collect()
    assert fields["state"] == "up"


def test_it_reports_how_many_frames_were_dropped_where_some_are() -> None:
    heartbeat = CameraHeartbeat(
        "run", Clock(), drops=lambda camera_id: 7 if camera_id == "gate" else 0
    )
    heartbeat.record(make_item())
    heartbeat.record(make_end("yard"))
    assert [fields["drops"] for _, fields, _ in heartbeat.collect()] == ["7", "0"]


def test_a_camera_that_is_down_reports_the_reason_until_it_is_back() -> None:
    heartbeat = CameraHeartbeat("run", Clock())
    heartbeat.record(make_item())
    heartbeat.record(
        DecidedEnd(StreamEnd("gate", "unauthorized", "it refuses user and password"), ())
    )
    [(_, fields, _)] = heartbeat.collect()
    assert fields["reason"] == "unauthorized"
    heartbeat.record(make_item(1))
    [(_, fields, _)] = heartbeat.collect()
    assert "reason" not in fields
