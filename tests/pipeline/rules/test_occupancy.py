"""Rows per minute and zone: time-weighted, in the minute of the clock or of media time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.rules.occupancy import OccupancyMeter, StayClock
from pipeline.types import DecidedEnd, DecidedFrame, StreamEnd, ZoneState
from pipeline.zone_minutes import ZoneMinute
from tests.pipeline.decided_items import make_item

BEGIN = 1_764_111_600.0  # 2025-11-25T23:00:00Z


def frame(
    pts_s: float,
    inside: tuple[int, ...] = (),
    entered: tuple[int, ...] = (),
    left: tuple[int, ...] = (),
    zone: str = "hall",
) -> DecidedFrame:
    return replace(make_item(0, pts_s=pts_s), zones=(ZoneState(zone, inside, entered, left),))


def counted(*items: DecidedFrame | DecidedEnd, timed: bool = True) -> list[ZoneMinute]:
    meter = OccupancyMeter("run", "gate", lambda one: BEGIN + one.pts_s if timed else None)
    return [row for item in items for row in meter.count(item)]


END = DecidedEnd(StreamEnd("gate"), ())


def test_a_row_has_the_mean_over_the_minute_and_what_happened_in_it() -> None:
    states = [frame(0.0)]
    for second in range(1, 61):
        inside = (7,) if 15 <= second < 45 else ()
        entered, left = ((7,) if second == 15 else ()), ((7,) if second == 45 else ())
        states.append(frame(float(second), inside, entered, left))
    [row] = counted(*states)
    assert row == ZoneMinute(
        row_id="run/gate/counts/1",
        run_id="run",
        camera_id="gate",
        seq=1,
        zone="hall",
        start_time="2025-11-25T23:00:00.000Z",
        start_pts_s=0.0,
        seconds=60.0,
        people_mean=0.5,
        people_max=1,
        people_last=0,
        entered=1,
        left=1,
        dwell_s=30.0,
    )
    assert ZoneMinute.decode(row.encode()) == row


def test_a_person_who_stays_is_counted_from_the_first_moment_of_the_next_minute() -> None:
    items = [frame(58.0, (7,), (7,)), frame(61.0, (7,)), frame(62.0, (7,)), END]
    first, second = counted(*items)
    assert (first.seconds, first.people_mean, first.entered) == (2.0, 1.0, 1)
    assert (second.seconds, second.people_mean, second.people_max) == (2.0, 1.0, 1)
    assert (second.entered, second.start_time) == (0, "2025-11-25T23:01:00.000Z")
    assert (first.seq, second.seq) == (1, 2)


def test_without_a_clock_a_minute_is_one_of_media_time() -> None:
    rows = counted(frame(59.0), frame(61.0), END, timed=False)
    assert [(row.start_time, row.start_pts_s, row.seconds) for row in rows] == [
        (None, 59.0, 1.0),
        (None, 61.0, 1.0),
    ]


def test_what_was_not_seen_is_not_counted() -> None:
    [row] = counted(frame(0.0, (7,), (7,)), frame(2.0, (7,)), frame(30.0, ()), frame(31.0), END)
    assert row.seconds == 3.0
    assert row.people_mean == pytest.approx(2 / 3, abs=1e-3)


def test_a_camera_that_comes_back_within_a_minute_has_two_rows_that_add_up() -> None:
    again = DecidedEnd(StreamEnd("gate", "disconnected", at=BEGIN + 5), ())
    rows = counted(frame(0.0, (7,), (7,)), frame(4.0, (7,)), again, frame(10.0), frame(14.0), END)
    assert [(row.start_time, row.seconds, row.people_mean) for row in rows] == [
        ("2025-11-25T23:00:00.000Z", 4.0, 1.0),
        ("2025-11-25T23:00:00.000Z", 4.0, 0.0),
    ]


def test_a_clock_that_is_set_back_begins_another_row() -> None:
    times = iter([100.0, 101.0, 40.0, 41.0])
    meter = OccupancyMeter("run", "gate", lambda one: next(times))
    rows = [row for n in range(4) for row in meter.count(frame(n))] + list(meter.count(END))
    assert [row.seconds for row in rows] == [1.0, 1.0]


def test_zones_that_a_reload_removes_have_no_further_rows() -> None:
    rows = counted(frame(0.0), frame(61.0, zone="yard"), frame(122.0, zone="yard"), END)
    assert [row.zone for row in rows] == ["hall", "yard", "yard"]
    rows = counted(frame(0.0), make_item(1, pts_s=1.0), make_item(2, pts_s=2.0), END)
    assert [row.zone for row in rows] == ["hall"]


def test_stays_are_measured_in_media_time_and_forgotten_at_an_end() -> None:
    clock = StayClock()
    clock.step(1.0, [ZoneState("hall", (1, 2), (1, 2))])
    assert clock.step(4.5, [ZoneState("hall", (2,), (), (1,))]) == {"hall": [3.5]}
    clock.clear()
    assert clock.step(9.0, [ZoneState("hall", (), (), (2,))]) == {}
