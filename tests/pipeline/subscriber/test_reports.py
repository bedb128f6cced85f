"""Reports are lines that name camera, run, entry and stream."""

from __future__ import annotations

import pytest

from pipeline.events import SequenceGap
from pipeline.subscriber import GapError
from pipeline.subscriber.reports import BadEntry, DeadLetter, Duplicate, GroupLost, Report, Trimmed


@pytest.mark.parametrize(
    ("report", "line"),
    [
        (SequenceGap("run/gate", 2, 3), "run/gate: events 2 to 3 are missing"),
        (Duplicate("run/gate", 4, "7-0"), "run/gate: event 4 is repeated in entry 7-0; skipped"),
        (BadEntry("7-0", "it is empty"), "entry 7-0 skipped: it is empty"),
        (Trimmed("7-0"), "entry 7-0 was not acknowledged and is no longer on the stream"),
        (
            DeadLetter("7-0", "{s}:dead:g", 5),
            "entry 7-0 failed 5 times and was moved to {s}:dead:g",
        ),
        (
            GroupLost("alarms"),
            "the group alarms was lost; it starts again with all that is on the stream",
        ),
    ],
)
def test_a_report_is_one_line(report: Report, line: str) -> None:
    assert str(report) == line


def test_a_gap_error_carries_its_gap() -> None:
    gap = SequenceGap("run/gate", 2, 3)
    error = GapError(gap)
    assert (error.gap, str(error)) == (gap, str(gap))
