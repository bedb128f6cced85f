"""Precision, recall, false alarms per hour and delay, counted by hand."""

from __future__ import annotations

import pytest

from tests.training.made_events import found, true
from training.metrics.event_metrics import EventVideo, count_events, rate_at_most

VIDEOS = [
    EventVideo(
        "a",
        1800.0,
        (true(10, 20), true(100, 110), true(50, 60, action="walk")),
        (found(11, 20, decided_s=12), found(300, 310), found(55, 58, action="kick")),
    ),
    EventVideo("b", 5400.0, (true(10, 20),), (found(10, 20, decided_s=14), found(15, 90))),
]


def test_one_action_is_counted_over_all_videos() -> None:
    counts = count_events(VIDEOS, "fight", 0.5)
    assert (counts.truths, counts.matched, counts.wrong, counts.events) == (3, 2, 2, 4)
    assert counts.precision == 0.5
    assert counts.recall == pytest.approx(2 / 3)
    assert counts.camera_hours == 2.0
    assert counts.false_alarms_per_hour == 1.0
    assert counts.delays_s == (2, 4)
    assert counts.delay_s(0.5) == 3
    assert counts.delay_s(0.95) == pytest.approx(3.9)


def test_an_action_that_no_person_does_has_alarms_but_no_recall() -> None:
    counts = count_events(VIDEOS, "kick", 0.5)
    assert counts.recall is None
    assert counts.delay_s(0.5) is None
    assert counts.precision == 0.0
    assert counts.false_alarms_per_hour == 0.5


def test_without_video_there_is_no_rate() -> None:
    counts = count_events([], "kick", 0.5)
    assert counts.false_alarms_per_hour is None
    assert counts.false_alarms_per_hour_at_most is None
    assert counts.precision is None


def test_no_alarm_in_an_hour_is_compatible_with_three_per_hour() -> None:
    assert rate_at_most(0, 1.0) == pytest.approx(2.996, abs=1e-3)
    assert rate_at_most(0, 10.0) == pytest.approx(0.2996, abs=1e-4)
    # Of a Poisson rate of 7.754 three or fewer are seen with a probability of 5 %.
    assert rate_at_most(3, 1.0) == pytest.approx(7.754, abs=1e-3)
