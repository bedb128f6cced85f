"""False alarms counted with exact intervals, and listed by kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.evaluation.negatives import Alarm, Negative, NegativeResult, Peak

FIGHT = Alarm("fight", 1.0, 2.0, 0.9, by_rules=True)
KICK = Alarm("kick", 3.0, 4.0, 0.7, by_rules=True)


def negative(
    name: str, kind: str, *alarms: Alarm, seconds: float = 60.0, peak: float = 0.0, true: str = ""
) -> Negative:
    peaks = (Peak("fight", peak, 1.5),) if peak else ()
    is_true = frozenset({true} - {""})
    return Negative(Path(name), None, kind, seconds, alarms, peaks, is_true)


def test_alarms_are_counted_per_stretch_and_per_hour() -> None:
    result = NegativeResult(
        (negative("a", "hug", FIGHT, FIGHT, KICK), negative("b", "hug"), negative("c", "walk")),
        ("kick", "fight"),
    )
    fight, kick = result.rates  # most alarms first
    assert (fight.action, fight.alarms, fight.alarmed, fight.negatives) == ("fight", 2, 1, 3)
    assert fight.per_hour == pytest.approx(2 / 0.05)
    assert fight.per_hour_interval is not None
    assert fight.per_hour_interval.high == pytest.approx(7.2247 / 0.05, rel=1e-3)
    assert (kick.action, kick.alarms) == ("kick", 1)
    assert (result.total.alarms, result.total.alarmed) == (3, 1)
    assert "3 alarms in 3.0 minutes: 60 an hour, 12.4 to 175 (95 %)" in result.total.sentence()


def test_no_alarm_rules_out_what_the_time_allows() -> None:
    result = NegativeResult((negative("a", "walk", seconds=3600),), ("fight",))
    expected = "no alarm in 60.0 minutes rules out more than 3 an hour (95 %)"
    assert result.total.sentence() == expected
    nothing = NegativeResult((), ("fight",)).total
    assert nothing.per_hour is None
    assert "nothing is proved" in nothing.sentence()


def test_an_action_that_is_true_there_is_no_false_alarm_and_has_no_time() -> None:
    result = NegativeResult(
        (negative("a", "fight", KICK, true="fight"), negative("b", "walk", FIGHT)),
        ("fight", "kick"),
    )
    fight = next(rate for rate in result.rates if rate.action == "fight")
    assert (fight.negatives, fight.alarms, fight.hours) == (1, 1, pytest.approx(1 / 60))
    assert result.total.negatives == 2


def test_kinds_that_alarm_come_first_then_those_that_come_closest() -> None:
    result = NegativeResult(
        (
            negative("a", "walk", peak=0.2),
            negative("b", "dance", peak=0.5),
            negative("c", "hug", FIGHT, peak=0.9),
            negative("d", "sport", FIGHT, KICK, peak=0.95),
        ),
        ("fight", "kick"),
    )
    assert [each.kind for each in result.kinds] == ["sport", "hug", "dance", "walk"]
    dance = result.kinds[2]
    assert dance.peak == Peak("fight", 0.5, 1.5)
    assert dance.peak_in is not None
    assert dance.peak_in.path == Path("b")
    assert [(one.kind, alarm.action) for one, alarm in result.alarmed] == [
        ("sport", "fight"),
        ("sport", "kick"),
        ("hug", "fight"),
    ]
