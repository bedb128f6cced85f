from __future__ import annotations

import time
from datetime import UTC, timedelta, timezone

import pytest

from pipeline.commands.event_text import format_event
from tests.pipeline.decided_items import (
    make_alarm_event,
    make_camera_event,
    make_event,
    make_evidence_event,
)

SUMMER = timezone(timedelta(hours=2))


def test_lines_for_people_state_who_does_what_and_when() -> None:
    start = format_event(make_event(1, "start", start_pts_s=72.25))
    end = format_event(make_event(2, "end", end_reason="track_ended"))

    assert start == "gate   1:12.2  person 7   starts  walking          75%"
    assert end.startswith("gate   0:03.5  person 7   ended   walking ")
    assert end.endswith(" 75%  after 2.5 s, at most 80%, track ended")


def test_a_line_of_a_group_names_its_members() -> None:
    of_group = {"track_id": None, "group_id": 3, "members": (7, 9), "action": "hug"}
    line = format_event(make_event(1, "start", start_pts_s=72.25, **of_group))
    assert line == "gate   1:12.2  group 3    starts  hug              75%  persons 7, 9"


def test_lines_for_people_state_the_status_of_a_camera() -> None:
    assert format_event(make_camera_event(pts_s=3.0)) == "gate   0:03.0  camera up"
    down = make_camera_event(2, "camera_down", pts_s=9.0, reason="stream_ended")
    assert format_event(down) == "gate   0:09.0  camera down: stream ended"


def test_a_line_of_an_alarm_states_its_severity_rule_and_reason() -> None:
    start = format_event(make_alarm_event(1, reason="fight 0.84 by 7 and 9", held_back=2))
    assert start == (
        "gate   0:01.0  CRITICAL fight starts: fight 0.84 by 7 and 9 (2 held back before)"
    )
    end = format_event(make_alarm_event(2, "end", reason="fight by 7", end_reason="over"))
    assert end == "gate   0:02.2  CRITICAL fight ended: fight by 7, after 1.2 s, over"


def test_a_line_of_evidence_names_the_file() -> None:
    line = format_event(make_evidence_event(3, path="gate/fight-1.mp4", size_bytes=2048))
    assert line == "gate   0:00.0  clip gate/fight-1.mp4  7.2 s, 2048 bytes"


def test_an_escape_sequence_in_an_event_does_not_reach_the_terminal() -> None:
    assert "\x1b" not in format_event(make_event(1, action="walking\x1b[2J"))


@pytest.mark.parametrize(
    ("zone", "start", "end"),
    [
        (UTC, "2026-11-25 23:59:59Z  gate", "2026-11-26 00:00:02Z  gate"),
        (SUMMER, "2026-11-26 01:59:59+02:00  gate", "2026-11-26 02:00:02+02:00  gate"),
    ],
)
def test_an_event_with_a_wall_clock_has_the_time_of_day(
    zone: timezone, start: str, end: str
) -> None:
    times = {"start_time": "2026-11-25T23:59:59.900Z", "end_time": "2026-11-26T00:00:02.100Z"}
    assert format_event(make_event(1, "start", **times), zone).startswith(start)
    assert format_event(make_event(2, "end", **times), zone).startswith(end)
    camera = make_camera_event(time="2026-11-25T23:59:59.900Z")
    assert format_event(camera, zone).startswith(start)


def test_the_time_of_day_is_local_unless_asked_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as context:
        context.setenv("TZ", "IST-5:30")
        time.tzset()
        line = format_event(make_camera_event(time="2026-11-25T10:00:00.000Z"))
    time.tzset()
    assert line.startswith("2026-11-25 15:30:00+05:30  gate")


def test_a_time_that_no_calendar_has_in_that_zone_is_printed_as_it_is() -> None:
    # No such event is decoded; one may still be made.
    event = make_camera_event().model_copy(update={"time": "0001-01-01T00:00:00Z"})
    line = format_event(event, timezone(-timedelta(hours=2)))
    assert line.startswith("0001-01-01T00:00:00Z  gate")
