"""Schedules in the configuration: what they become, and how mistakes are named."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from pipeline.config.schema import load_config
from pipeline.errors import ConfigError
from pipeline.rules.schedules import Schedule

VIENNA = ZoneInfo("Europe/Vienna")


def night(tmp_path: Path, text: str) -> Schedule:
    path = tmp_path / "site.yaml"
    path.write_text(f"schedules:\n  night:\n    {text}\n")
    return load_config(path).schedules["night"].schedule("night")


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=VIENNA).timestamp()


def test_times_days_and_dates_are_written_as_people_write_them(tmp_path: Path) -> None:
    found = night(
        tmp_path,
        "{timezone: Europe/Vienna, times: [22:00-06:00, 12:00 - 13:30], days: [mon, fri], "
        "except_dates: [2026-12-25, 2026-12-28..2026-12-31]}",
    )
    assert found.name == "night"
    assert found.is_open(at("2026-11-27 23:00"))  # a Friday
    assert found.is_open(at("2026-11-28 05:00"))
    assert found.is_open(at("2026-11-27 13:00"))
    assert not found.is_open(at("2026-11-28 23:00"))
    assert not found.is_open(at("2026-12-25 23:00"))  # a Friday
    assert not found.is_open(at("2026-12-28 23:00"))  # a Monday


def test_a_schedule_of_dates_alone_is_open_all_day(tmp_path: Path) -> None:
    found = night(tmp_path, "{timezone: Europe/Vienna, dates: [2026-12-24..2026-12-26]}")
    assert not found.is_open(at("2026-12-23 23:59"))
    assert found.is_open(at("2026-12-24 00:00"))
    assert found.is_open(at("2026-12-26 23:59"))
    assert not found.is_open(at("2026-12-27 00:00"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{times: [22:00-06:00]}", "schedules.night.timezone: missing"),
        (
            "{timezone: Europe/Vienne}",
            "line 3: schedules.night.timezone: there is no such time zone; did you mean "
            "Europe/Vienna?",
        ),
        ("{timezone: Europe}", "schedules.night.timezone: there is no such time zone"),
        ("{timezone: ../../etc/passwd}", "schedules.night.timezone: there is no such time zone"),
        (
            "{timezone: UTC, times: [22-6]}",
            "line 3: schedules.night.times: '22-6': expected HH:MM-HH:MM, e.g. 22:00-06:00",
        ),
        ("{timezone: UTC, times: [24:00-06:00]}", "'24:00-06:00': expected HH:MM-HH:MM"),
        ("{timezone: UTC, times: [22:00-24:30]}", "'22:00-24:30': expected HH:MM-HH:MM"),
        ("{timezone: UTC, times: [08:60-09:00]}", "'08:60-09:00': expected HH:MM-HH:MM"),
        ("{timezone: UTC, times: [08:00-08:00]}", "ends when it begins; a whole day is"),
        ("{timezone: UTC, times: 22:00-06:00}", "schedules.night.times: should be a list"),
        ("{timezone: UTC, days: [monday]}", "schedules.night.days.0: should be 'mon', 'tue'"),
        ("{timezone: UTC, days: []}", "schedules.night.days: "),
        ("{timezone: UTC, dates: [24.12.2026]}", "'24.12.2026': expected a day as 2026-12-24"),
        ("{timezone: UTC, dates: [2026-02-30]}", "'2026-02-30': expected a day as 2026-12-24"),
        ("{timezone: UTC, dates: [2026-01-02..2026-01-01]}", "the last day is before the first"),
        ("{timezone: UTC, dates: [0001-01-01..9999-12-31]}", "between 1971 and 2099"),
        (
            "{timezone: UTC, days: [mon], dates: [2026-11-24]}",
            "line 2: schedules.night: it never holds: none of its dates is one of its days",
        ),
        (
            "{timezone: UTC, dates: [1971-01-01..2099-12-31], except_dates: "
            "[1971-01-01..2099-12-31]}",
            "schedules.night: it never holds",
        ),
        (
            "{timezone: Europe/Vienna, times: [02:15-02:45], dates: [2026-03-29]}",
            "schedules.night: it never holds",
        ),
    ],
)
def test_a_mistake_is_named_with_its_schedule_and_key(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        night(tmp_path, text)
    assert message in str(caught.value)
