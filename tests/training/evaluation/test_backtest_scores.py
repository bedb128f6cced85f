from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from pipeline.backtest.occurrences import Occurrence
from pipeline.backtest.run import SeenTime
from pipeline.types import StreamEnd
from tests.pipeline.observations.made_items import make_recognized
from training.evaluation.backtest_scores import Judgement, judge
from training.labels.intervals import LabelledInterval, LabelledIntervals
from training.labels.samples import DataError

DAY = 1_790_000_000.0  # Unix seconds at which the cameras start


def seen(hours: float = 1.0) -> SeenTime:
    time = SeenTime()
    for pts_s in range(int(hours * 3600) + 1):
        time.add(make_recognized(pts_s=float(pts_s), seen_at=DAY + pts_s))
    time.add(StreamEnd("gate"))
    return time


HOUR = seen()


def reported(name: str, start_s: float, end_s: float, camera_id: str = "gate") -> Occurrence:
    times = start_s, end_s, start_s + 0.5, DAY + start_s, DAY + end_s
    return Occurrence("alarm", name, camera_id, "run-a", *times, 0.8, "x", None)


def true(label: str, start_s: float | None, end_s: float | None, at: float = 0.0) -> Any:
    times = (None if one is None else one + at for one in (start_s, end_s))
    return LabelledInterval("gate", label, *times, f"{label} at {start_s}")


def judged(
    found: Sequence[Occurrence],
    labels: Sequence[LabelledInterval],
    *,
    times_of_day: bool = False,
    **aliases: str,
) -> Judgement:
    return judge(
        found,
        {("run-a", "gate"): HOUR, ("run-a", "yard"): HOUR},
        LabelledIntervals(tuple(labels), times_of_day),
        aliases=aliases,
        background=("nothing",),
    )


@pytest.mark.parametrize("times_of_day", [False, True])
def test_recall_precision_and_false_alarms_per_hour(times_of_day: bool) -> None:
    at = DAY if times_of_day else 0.0
    found = [reported("fight", 10, 12), reported("fight", 100, 110), reported("fight", 500, 501)]
    labels = [true("fight", 9, 20, at), true("fight", 105, 120, at), true("fight", 900, 910, at)]
    [rule] = judged(found, labels, times_of_day=times_of_day).rules
    counts = rule.counts
    assert (counts.truths, counts.matched, counts.wrong, counts.false_alarms) == (3, 2, 1, 1)
    assert (counts.recall, counts.precision) == (2 / 3, 2 / 3)
    assert counts.false_alarms_per_hour == pytest.approx(1.0)
    assert counts.delay_s(0.0) == pytest.approx(-4.5)  # reported before the label begins
    bounds = rule.rate_interval
    assert bounds is not None
    assert bounds.low < 1.0 < bounds.high


def test_an_alarm_within_a_long_label_is_right_however_short_it_is() -> None:
    found = [reported("fight", 100, 100), reported("fight", 200, 205)]
    [rule] = judged(found, [true("fight", 0, 3000)]).rules
    assert (rule.counts.matched, rule.counts.repeated, rule.counts.wrong) == (1, 1, 0)


def test_what_no_label_stands_for_is_not_judged_and_said_so() -> None:
    found = [reported("night", 10, 12), reported("fight", 10, 12), reported("x", 1, 2, "yard")]
    judgement = judged(found, [true("fight", 9, 20)])
    assert [rule.counts.action for rule in judgement.rules] == ["fight"]
    assert judgement.not_judged == ("alarm night", "alarm x")
    assert judgement.unlabelled == ("yard",)


def test_a_rule_of_another_name_is_judged_by_an_alias() -> None:
    [rule] = judged([reported("night", 10, 12)], [true("brawl", 9, 20)], brawl="night").rules
    assert (rule.counts.action, rule.counts.matched) == ("night", 1)


def test_a_camera_in_which_nothing_is_true_judges_everything() -> None:
    judgement = judged([reported("fight", 10, 12)], [true("nothing", None, None)])
    [rule] = judgement.rules
    assert (rule.counts.truths, rule.counts.false_alarms) == (0, 1)


def test_an_action_that_is_never_reported_is_missed() -> None:
    [rule] = judged([], [true("fight", 9, 20)]).rules
    assert (rule.counts.truths, rule.counts.matched) == (1, 0)


def test_a_label_of_a_time_without_observations_is_not_counted_as_missed() -> None:
    judgement = judged([], [true("fight", 9, 20), true("fight", 5000, 5010)])
    assert [one.origin for one in judgement.unseen] == ["fight at 5000"]
    assert judgement.rules[0].counts.truths == 1


def test_seconds_of_a_camera_with_two_runs_are_refused() -> None:
    with pytest.raises(DataError, match="--run"):
        judge(
            [],
            {("run-a", "gate"): HOUR, ("run-b", "gate"): HOUR},
            LabelledIntervals((true("fight", 1, 2),), False),
            aliases={},
            background=(),
        )
