"""When a schedule holds: week days, dates, over midnight, and the two nights of summer time."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from pipeline.rules.schedules import DateRange, Schedule, TimeWindow

VIENNA = ZoneInfo("Europe/Vienna")
WEEKDAYS = frozenset(range(5))


def window(begin: str, end: str) -> TimeWindow:
    return TimeWindow(time.fromisoformat(begin), time.fromisoformat(end))


def schedule(
    *windows: TimeWindow,
    zone: ZoneInfo = VIENNA,
    days: frozenset[int] = frozenset(range(7)),
    dates: tuple[DateRange, ...] | None = None,
    except_dates: tuple[DateRange, ...] = (),
) -> Schedule:
    return Schedule("test", zone, windows, days, dates, except_dates)


def at(text: str, zone: ZoneInfo = VIENNA, fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).timestamp()


def day(text: str) -> date:
    return date.fromisoformat(text)


def open_minutes(one: Schedule, first: str, last: str, zone: ZoneInfo = VIENNA) -> list[str]:
    """The local times, with their offsets, of every quarter of an hour at which it holds."""
    seconds, end = at(first, zone), at(last, zone)
    found = []
    while seconds < end:
        if one.is_open(seconds):
            found.append(datetime.fromtimestamp(seconds, zone).strftime("%H:%M%z"))
        seconds += 900
    return found


def test_it_holds_from_its_begin_to_before_its_end() -> None:
    office = schedule(window("08:00", "17:30"))
    times = ["07:59:59", "08:00", "12:00", "17:29:59", "17:30"]
    expected = [False, True, True, True, False]
    assert [office.is_open(at(f"2026-11-25 {one}")) for one in times] == expected


def test_over_midnight_it_belongs_to_the_day_on_which_it_begins() -> None:
    night = schedule(window("22:00", "06:00"), days=WEEKDAYS)
    assert night.is_open(at("2026-11-27 23:00"))  # a Friday
    assert night.is_open(at("2026-11-28 05:59"))  # Saturday morning: the night of Friday
    assert not night.is_open(at("2026-11-28 06:00"))
    assert not night.is_open(at("2026-11-28 23:00"))
    assert not night.is_open(at("2026-11-30 05:00"))  # Monday morning: the night of Sunday
    assert night.is_open(at("2026-11-30 22:00"))


def test_a_whole_day_is_from_midnight_to_midnight() -> None:
    sunday = schedule(window("00:00", "00:00"), days=frozenset([6]))
    assert not sunday.is_open(at("2026-11-28 23:59:59"))
    assert sunday.is_open(at("2026-11-29 00:00"))
    assert sunday.is_open(at("2026-11-29 23:59:59"))
    assert not sunday.is_open(at("2026-11-30 00:00"))


def test_several_windows_hold_one_after_the_other() -> None:
    meals = schedule(window("07:00", "08:00"), window("12:00", "13:00"))
    times = ["06:30", "07:30", "08:30", "12:30", "13:30"]
    assert [meals.is_open(at(f"2026-11-25 {one}")) for one in times] == [0, 1, 0, 1, 0]


def test_dates_include_and_exclude_days() -> None:
    holidays = DateRange(day("2026-12-24"), day("2026-12-26"))
    closed = schedule(window("09:00", "10:00"), except_dates=(holidays,))
    only = schedule(window("09:00", "10:00"), dates=(holidays,))
    for text, inside in [("23", False), ("24", True), ("26", True), ("27", False)]:
        assert only.is_open(at(f"2026-12-{text} 09:30")) is inside
        assert closed.is_open(at(f"2026-12-{text} 09:30")) is not inside
    new_year = DateRange(day("2026-12-31"), day("2026-12-31"))
    eve = schedule(window("22:00", "06:00"), dates=(new_year,))
    assert eve.is_open(at("2027-01-01 05:00"))
    assert not eve.is_open(at("2027-01-01 23:00"))


def test_local_time_is_that_of_the_named_zone() -> None:
    morning = window("08:00", "09:00")
    instant = at("2026-11-25 08:30", ZoneInfo("Asia/Tokyo"))
    assert schedule(morning, zone=ZoneInfo("Asia/Tokyo")).is_open(instant)
    assert not schedule(morning).is_open(instant)


def test_a_night_in_which_the_clocks_skip_an_hour_is_an_hour_shorter() -> None:
    night = schedule(window("22:00", "06:00"))
    assert len(open_minutes(night, "2026-03-28 12:00", "2026-03-29 12:00")) == 7 * 4
    assert len(open_minutes(night, "2026-03-27 12:00", "2026-03-28 12:00")) == 8 * 4


def test_a_night_in_which_an_hour_occurs_twice_is_an_hour_longer() -> None:
    night = schedule(window("22:00", "06:00"))
    assert len(open_minutes(night, "2026-10-24 12:00", "2026-10-25 12:00")) == 9 * 4


@pytest.mark.parametrize(
    ("begin", "end", "expected"),
    [
        ("01:30", "02:30", ["01:30+0100", "01:45+0100"]),  # 02:30 is skipped: until the change
        ("02:30", "03:30", ["03:00+0200", "03:15+0200"]),  # from the change
        ("02:15", "02:45", []),  # this night has no such time
    ],
)
def test_a_time_that_the_clocks_skip_is_the_instant_of_the_change(
    begin: str, end: str, expected: list[str]
) -> None:
    found = open_minutes(schedule(window(begin, end)), "2026-03-29 00:00", "2026-03-29 12:00")
    assert found == expected


@pytest.mark.parametrize(
    ("begin", "end", "first", "last", "quarters"),
    [
        ("01:30", "02:30", "01:30+0200", "02:15+0100", 8),
        ("02:30", "03:30", "02:30+0200", "03:15+0100", 8),
        ("02:15", "02:45", "02:15+0200", "02:30+0100", 6),
        ("02:00", "03:00", "02:00+0200", "02:45+0100", 8),
    ],
)
def test_a_time_that_occurs_twice_begins_at_the_first_and_ends_at_the_second(
    begin: str, end: str, first: str, last: str, quarters: int
) -> None:
    found = open_minutes(schedule(window(begin, end)), "2026-10-25 00:00", "2026-10-25 12:00")
    assert (found[0], found[-1], len(found)) == (first, last, quarters)


def test_clocks_that_change_at_midnight_do_not_disturb_whole_days() -> None:
    santiago = ZoneInfo("America/Santiago")  # 6 September 2026 begins at 01:00
    sunday = schedule(window("00:00", "00:00"), zone=santiago, days=frozenset([6]))
    found = open_minutes(sunday, "2026-09-05 12:00", "2026-09-07 12:00", santiago)
    assert (found[0], found[-1], len(found)) == ("01:00-0300", "23:45-0300", 23 * 4)


def test_a_zone_that_skips_a_whole_day_has_no_window_on_it() -> None:
    apia = ZoneInfo("Pacific/Apia")  # had no 30 December 2011
    friday = schedule(
        window("08:00", "09:00"),
        zone=apia,
        dates=(DateRange(day("2011-12-30"), day("2011-12-30")),),
    )
    assert open_minutes(friday, "2011-12-29 00:00", "2012-01-01 00:00", apia) == []
    assert not friday.ever_holds()


def test_the_answers_do_not_depend_on_the_order_of_the_questions() -> None:
    night = schedule(window("22:00", "06:00"), window("12:00", "13:00"), days=WEEKDAYS)
    times = [at("2026-10-23 00:00") + 1800 * number for number in range(48 * 5)]
    forwards = [night.is_open(one) for one in times]
    backwards = [night.is_open(one) for one in reversed(times)]
    fresh = [
        schedule(window("22:00", "06:00"), window("12:00", "13:00"), days=WEEKDAYS).is_open(one)
        for one in times
    ]
    assert forwards == backwards[::-1] == fresh


def test_it_does_not_hold_at_an_unknown_time() -> None:
    assert schedule(window("00:00", "00:00")).is_open(None) is False


def test_a_schedule_without_any_day_never_holds() -> None:
    always = window("00:00", "00:00")
    tuesday = DateRange(day("2026-11-24"), day("2026-11-24"))
    assert schedule(always).ever_holds()
    assert not schedule(always, days=frozenset()).ever_holds()
    assert not schedule().ever_holds()
    assert schedule(always, dates=(tuesday,)).ever_holds()
    assert not schedule(always, dates=(tuesday,), days=frozenset([0])).ever_holds()
    assert not schedule(always, dates=(tuesday,), except_dates=(tuesday,)).ever_holds()
    spring = DateRange(day("2026-03-29"), day("2026-03-29"))
    assert not schedule(window("02:15", "02:45"), dates=(spring,)).ever_holds()


def test_the_last_day_of_a_schedule_is_known() -> None:
    first, last = day("2026-12-24"), day("2027-01-06")
    assert schedule(window("08:00", "09:00")).last_day() is None
    assert schedule(window("08:00", "09:00"), dates=(DateRange(first, last),)).last_day() == last


def test_it_agrees_with_the_clock_on_the_wall_wherever_that_is_plain() -> None:
    night = schedule(window("21:45", "04:15"))
    instant = datetime(2026, 1, 1, tzinfo=UTC)
    while instant.year == 2026:
        local = instant.astimezone(VIENNA)
        expected = local.time() >= time(21, 45) or local.time() < time(4, 15)
        assert night.is_open(instant.timestamp()) is expected
        instant += timedelta(hours=3, minutes=7)
