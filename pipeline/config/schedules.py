"""Sections about times of day, week and year."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date, time
from difflib import get_close_matches
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import Field, field_validator, model_validator

from pipeline.config.loading import Section
from pipeline.rules.schedules import DateRange, Schedule, TimeWindow

WeekDay = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEK: tuple[WeekDay, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WINDOW = re.compile(r"(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})")
_FIRST_YEAR, _LAST_YEAR = 1971, 2099  # of dates; a range is walked through day by day


class ScheduleEntry(Section):
    """Hours on certain days, in local time, by its name."""

    timezone: str = Field(
        description="whose clock, e.g. Europe/Vienna; summer time is that of the zone"
    )
    times: tuple[str, ...] = Field(
        ("00:00-24:00",),
        min_length=1,
        description='e.g. ["22:00-06:00"]: from the first to before the second; over midnight, if '
        "the second is not later",
    )
    days: tuple[WeekDay, ...] = Field(
        WEEK,
        min_length=1,
        description="mon | tue | wed | thu | fri | sat | sun; a night belongs to the day on which "
        "it begins",
    )
    dates: tuple[str, ...] | None = Field(
        None,
        min_length=1,
        description="on these days alone, e.g. [2026-12-24, 2026-12-31..2027-01-06]; null: on any",
    )
    except_dates: tuple[str, ...] = Field((), description="not on these days, as in dates")

    @field_validator("timezone")
    @classmethod
    def _is_known(cls, name: str) -> str:
        _time_zone(name)
        return name

    @field_validator("times")
    @classmethod
    def _are_times(cls, times: tuple[str, ...]) -> tuple[str, ...]:
        _windows(times)
        return times

    @field_validator("dates", "except_dates")
    @classmethod
    def _are_dates(cls, dates: tuple[str, ...] | None) -> tuple[str, ...] | None:
        _ranges(dates or ())
        return dates

    @model_validator(mode="after")
    def _holds_at_some_time(self) -> ScheduleEntry:
        if not self.schedule("").ever_holds():
            raise ValueError(
                "it never holds: none of its dates is one of its days, at a time that the clocks "
                "do not skip, and not among except_dates"
            )
        return self

    def schedule(self, name: str) -> Schedule:
        """Return the schedule."""
        return Schedule(
            name,
            _time_zone(self.timezone),
            _windows(self.times),
            frozenset(WEEK.index(day) for day in self.days),
            None if self.dates is None else _ranges(self.dates),
            _ranges(self.except_dates),
        )


def _time_zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a folder of zones
        near = get_close_matches(name, available_timezones(), n=1, cutoff=0.6)
        meant = f"did you mean {near[0]}?" if near else "expected one as Europe/Vienna"
        raise ValueError(f"there is no such time zone; {meant}") from None


def _windows(texts: Iterable[str]) -> tuple[TimeWindow, ...]:
    return tuple(_window(text) for text in texts)


def _window(text: str) -> TimeWindow:
    found = _WINDOW.fullmatch(text.strip())
    hours = [int(number) for number in found.groups()] if found else [99]
    if not found or hours[0] > 23 or max(hours[1], hours[3]) > 59 or hours[2:] > [24, 0]:
        raise ValueError(f"{text!r}: expected HH:MM-HH:MM, e.g. 22:00-06:00 or 00:00-24:00")
    begin, end = time(hours[0], hours[1]), time(hours[2] % 24, hours[3])
    if begin == end and hours[2] != 24:
        raise ValueError(f"{text!r} ends when it begins; a whole day is 00:00-24:00")
    return TimeWindow(begin, end)


def _ranges(texts: Sequence[str]) -> tuple[DateRange, ...]:
    return tuple(_range(text) for text in texts)


def _range(text: str) -> DateRange:
    first, dots, last = text.partition("..")
    try:
        found = DateRange(_day(first), _day(last if dots else first))
    except ValueError:
        raise ValueError(
            f"{text!r}: expected a day as 2026-12-24, or days as 2026-12-24..2027-01-06, between "
            f"{_FIRST_YEAR} and {_LAST_YEAR}"
        ) from None
    if found.last < found.first:
        raise ValueError(f"{text!r}: the last day is before the first one")
    return found


def _day(text: str) -> date:
    day = date.fromisoformat(text.strip())
    if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        raise ValueError("beyond the years of schedules")
    return day
