"""One row per action and alarm, whatever of its events there is."""

from __future__ import annotations

from datetime import UTC, datetime

from pipeline.outputs.interval_rows import IntervalTable
from tests.pipeline.decided_items import (
    make_alarm_event,
    make_camera_event,
    make_event,
    make_evidence_event,
)


def test_an_action_is_one_row_from_start_to_end() -> None:
    table = IntervalTable()
    table.add(make_camera_event(1))
    table.add(make_event(2, start_time="2026-11-25T11:00:00Z", peak_score=0.7))
    table.add(make_event(3, "update", track_id=9, track_ids=(7, 9)))
    end = {"end_pts_s": 5.25, "end_time": "2026-11-25T11:00:04.25Z", "peak_score": 0.9}
    table.add(make_event(4, "end", track_id=9, end_reason="below_threshold", **end))
    [row] = table.rows()
    assert (row.camera, row.kind, row.name) == ("gate", "action", "walking")
    assert (row.begin_s, row.end_s, row.duration_s, row.peak) == (1.0, 5.25, 4.25, 0.9)
    assert row.begin == datetime(2026, 11, 25, 11, tzinfo=UTC)
    assert row.people == {7, 9}
    assert row.end_reason == "below_threshold"


def test_an_alarm_has_its_zone_severity_reason_and_evidence() -> None:
    table = IntervalTable()
    table.add(make_alarm_event(1, snapshot="gate/1.jpg"))
    table.add(make_alarm_event(2, "end", track_ids=(9, 12), end_reason="over"))
    table.add(make_evidence_event(3, path="gate/1.mp4"))
    table.add(make_evidence_event(4, alarm_id="run/gate/alarm-fight/99"))
    [row] = table.rows()
    assert (row.kind, row.name, row.zone, row.severity) == (
        "alarm",
        "fight",
        "entrance",
        "critical",
    )
    assert row.people == {7, 9, 12}
    assert row.evidence == ["gate/1.jpg", "gate/1.mp4"]
    assert row.reason.startswith("fight 0.84")


def test_what_did_not_end_is_a_row_too() -> None:
    table = IntervalTable()
    table.add(make_event(1))
    table.add(make_alarm_event(2, score=None, zone=None))
    action, alarm = table.rows()
    assert (action.end_reason, action.duration_s, action.begin) == ("", 2.5, None)
    assert (alarm.peak, alarm.zone) == (None, "")


def test_rows_of_several_cameras_stay_in_the_order_of_their_starts() -> None:
    table = IntervalTable()
    table.add(make_event(1, instance_id="b"))
    table.add(make_event(1, instance_id="a", camera_id="yard", event_id="run/yard/1"))
    table.add(make_event(2, "end", instance_id="b"))
    assert [row.camera for row in table.rows()] == ["gate", "yard"]


def test_an_action_of_a_group_names_everyone_who_took_part() -> None:
    table = IntervalTable()
    group = {"track_id": None, "group_id": 3, "action": "fight"}
    table.add(make_event(1, members=(7, 9), **group))
    table.add(make_event(2, "end", members=(9, 12), **group))
    assert table.rows()[0].people == {7, 9, 12}
