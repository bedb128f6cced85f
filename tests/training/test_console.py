"""The progress of a command where there is no terminal, and numbers for people."""

from __future__ import annotations

import math
from collections.abc import Callable
from io import StringIO

import pytest
from rich.console import Console

from training.console import ProgressPrinter, number, percent, seconds


def printer(out: StringIO, clock: list[float], *, quiet_start: bool = False) -> ProgressPrinter:
    """A printer whose time is `clock[0]`."""
    return ProgressPrinter(
        Console(file=out), interval_s=5.0, quiet_start=quiet_start, now=lambda: clock[0]
    )


def test_a_line_comes_at_most_every_interval_and_at_the_end() -> None:
    out, clock = StringIO(), [100.0]
    with printer(out, clock) as progress:
        for done in range(1, 11):
            clock[0] = 100.0 + done
            progress.show("frames of a.mp4", done, 10)
    assert out.getvalue().splitlines() == [
        "frames of a.mp4: 1 of 10",
        "frames of a.mp4: 6 of 10",
        "frames of a.mp4: 10 of 10",
    ]


def test_a_quiet_start_prints_nothing_before_the_first_interval_is_over() -> None:
    out, clock = StringIO(), [0.0]
    with printer(out, clock, quiet_start=True) as progress:
        for clock[0] in (1.0, 4.9, 5.0):
            progress.update("training", 1, 0, f"at {clock[0]:g} s")
    assert out.getvalue() == "at 5 s\n"


def test_a_count_without_a_total_names_none() -> None:
    out = StringIO()
    with printer(out, [0.0]) as progress:
        progress.show("rules tried", 7, 0)
    assert out.getvalue() == "rules tried: 7\n"


def test_a_terminal_gets_a_bar_and_no_lines() -> None:
    out = StringIO()
    with ProgressPrinter(Console(file=out, force_terminal=True, width=80)) as progress:
        progress.show("clips", 3, 9)
    assert "clips" in out.getvalue()
    assert "3/9" in out.getvalue()
    assert "3 of 9" not in out.getvalue()


def test_the_remaining_time_follows_from_the_speed_so_far() -> None:
    clock = [0.0]
    progress = printer(StringIO(), clock)
    clock[0] = 30.0
    assert progress.time_left(2, 8) == "1:30 left"


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        (percent, 0.1234, "12.3 %"),
        (percent, math.nan, "-"),
        (percent, None, "-"),
        (number, 0.012345, "0.0123"),
        (number, None, "-"),
        (seconds, 1.26, "1.3 s"),
        (seconds, None, "-"),
    ],
)
def test_numbers_are_short_and_a_missing_one_is_a_dash(
    text: Callable[[float | None], str], value: float | None, expected: str
) -> None:
    assert text(value) == expected
