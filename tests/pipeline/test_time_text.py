"""How times are written for people."""

from __future__ import annotations

import pytest

from pipeline.time_text import format_media_time, format_utc


@pytest.mark.parametrize(
    ("pts_s", "text"),
    [
        (0.0, "0:00.0"),
        (59.96, "1:00.0"),  # rounds over the minute
        (754.31, "12:34.3"),
        (3600.0, "1:00:00.0"),
        (-0.04, "0:00.0"),
        (-1.5, "-0:01.5"),  # a camera's clock may begin below zero
    ],
)
def test_media_time_reads_as_a_clock(pts_s: float, text: str) -> None:
    assert format_media_time(pts_s) == text


@pytest.mark.parametrize(
    ("unix_s", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (1_767_225_601.5, "2026-01-01T00:00:01.500Z"),
        (1_767_225_600.0004, "2026-01-01T00:00:00.000Z"),  # milliseconds, even if they are zero
    ],
)
def test_timestamps_are_utc_with_milliseconds(unix_s: float, text: str) -> None:
    assert format_utc(unix_s) == text
