"""Quiet hours by the clock on the wall, over midnight and over the change of summer time."""

from __future__ import annotations

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest

from pipeline.bridges.quiet_hours import QuietHours

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = QuietHours(time(22), time(7), BERLIN)


def unix_s(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp()


@pytest.mark.parametrize(
    ("text", "is_quiet"),
    [
        ("2026-11-25T21:59:59", False),
        ("2026-11-25T22:00:00", True),
        ("2026-11-26T00:00:00", True),
        ("2026-11-26T06:59:59", True),
        ("2026-11-26T07:00:00", False),
        ("2026-03-29T06:59:59", True),  # the night of the change has an hour less
        ("2026-03-29T07:00:00", False),
        ("2026-07-01T22:00:00", True),
    ],
)
def test_a_night_is_quiet_by_local_time(text: str, is_quiet: bool) -> None:
    assert NIGHT.cover(unix_s(text)) is is_quiet


def test_the_repeated_hour_is_quiet_both_times() -> None:
    early = QuietHours(time(2), time(3), BERLIN)
    at = datetime(2026, 10, 25, tzinfo=UTC)
    assert [early.cover(at.replace(hour=hour).timestamp()) for hour in range(4)] == [
        True,
        True,
        False,
        False,
    ]


def test_hours_of_one_day_end_on_it() -> None:
    nap = QuietHours(time(13), time(14, 30), BERLIN)
    assert nap.cover(unix_s("2026-11-25T14:29:00"))
    assert not nap.cover(unix_s("2026-11-25T02:00:00"))
