from __future__ import annotations

from pipeline.rules.limits import RuleLimits
from tests.pipeline.rules.scripted_camera import rule


def test_the_subjects_that_are_remembered_are_bounded() -> None:
    limits = RuleLimits(rule(actions=("fight",), subject_cool_down_s=1e6))
    for one in range(5000):
        limits.ended([one], float(one))
    assert not limits.may_alarm([4999], 5000.0)
    assert limits.may_alarm([0], 5000.0), "the oldest ones are dropped"
    assert len(limits._cool_until_s) == 1000


def test_a_pair_may_alarm_if_one_of_them_is_new() -> None:
    limits = RuleLimits(rule(actions=("fight",), subject_cool_down_s=60.0))
    limits.ended([1], 0.0)
    assert limits.may_alarm([1, 2], 1.0)
    assert not limits.may_alarm([1], 1.0)
    assert limits.may_alarm([1], 60.0)


def test_an_hour_moves() -> None:
    limits = RuleLimits(rule(actions=("fight",), max_per_hour=1))
    limits.started(0.0)
    assert not limits.has_room(3599.0)
    assert limits.has_room(3600.0)
