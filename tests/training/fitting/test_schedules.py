"""The learning rate over a run."""

from __future__ import annotations

import pytest

from training.fitting.schedules import Schedule


def factors(schedule: Schedule) -> list[float]:
    return [schedule.factor(step) for step in range(schedule.steps)]


def test_the_learning_rate_rises_then_falls_to_nothing() -> None:
    found = factors(Schedule(steps=100))
    assert 0 < found[0] < found[4] < found[5] == max(found) == 1
    assert sorted(found[5:], reverse=True) == found[5:]
    assert 0 < found[-1] < 0.01


def test_steps_fall_at_their_shares_of_the_run() -> None:
    schedule = Schedule(
        steps=100, name="step", warm_up_fraction=0.0, step_at=(0.6, 0.8), step_factor=0.1
    )
    found = factors(schedule)
    assert found[59] == 1
    assert found[60] == pytest.approx(0.1)
    assert found[99] == pytest.approx(0.01)


def test_without_warm_up_the_first_step_is_a_full_one() -> None:
    assert Schedule(steps=100, warm_up_fraction=0.0).factor(0) == 1
