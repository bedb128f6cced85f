"""The search finds the rule that is known to be best."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from pipeline.stages.subject_decider import DecisionPolicy
from tests.training.made_events import policy_of, track_of, true, video_of
from training.evaluation.labelled_videos import LabelledVideo
from training.evaluation.threshold_search import (
    RuleChoice,
    RuleTrial,
    search_rule,
    threshold_curve,
)

QUIET = [0.05] * 6
FIGHT = [*QUIET, *[0.8] * 10, *QUIET]  # from 5.0 s to 9.5 s
LIKE_A_FIGHT = [*QUIET, *[0.72] * 10, *QUIET]  # as long, less confident
FLICKER = [*QUIET, 0.9, 0.9, *QUIET]  # surer, but only for half a second


def watched(*tracks: list[float], fights: bool = True, hours: float = 1.0) -> LabelledVideo:
    scores = video_of(
        *(track_of(row, track_id=n + 1, x=100 * n) for n, row in enumerate(tracks)),
        duration_s=3600 * hours,
    )
    return LabelledVideo(scores, (true(5.0, 9.5),) if fights else ())


BASE = policy_of().rules["fight"]


def trial(videos: Sequence[LabelledVideo], policy: DecisionPolicy | None = None) -> RuleTrial:
    return RuleTrial(videos, "fight", policy or policy_of(), 0.5)


def searched(
    videos: Sequence[LabelledVideo],
    *,
    false_alarms_per_hour: float,
    tried: Callable[[], object] = lambda: None,
) -> RuleChoice:
    return search_rule(
        trial(videos), BASE, false_alarms_per_hour=false_alarms_per_hour, tried=tried
    )


def test_a_threshold_between_true_and_false_scores_is_found() -> None:
    videos = [watched(FIGHT), watched(LIKE_A_FIGHT, fights=False)]
    choice = searched(videos, false_alarms_per_hour=0.1)
    assert choice.reached
    assert choice.found.counts.recall == 1.0
    assert choice.found.counts.false_alarms == 0
    assert 0.72 < choice.found.rule.start_threshold <= 0.8


def test_a_minimum_duration_is_found_where_no_threshold_helps() -> None:
    videos = [watched(FIGHT), watched(FLICKER, fights=False)]
    choice = searched(videos, false_alarms_per_hour=0.1)
    assert choice.found.counts.recall == 1.0
    assert choice.found.counts.false_alarms == 0
    assert choice.found.rule.min_duration_s > 0.5


def test_a_higher_rate_allows_what_a_lower_one_forbids() -> None:
    faint = [*QUIET, *[0.65] * 10, *QUIET]
    videos = [watched(FIGHT), watched(faint), watched(LIKE_A_FIGHT, fights=False)]
    strict = searched(videos, false_alarms_per_hour=0.2)
    loose = searched(videos, false_alarms_per_hour=0.4)
    assert (strict.found.counts.recall, strict.found.counts.false_alarms) == (0.5, 0)
    assert (loose.found.counts.recall, loose.found.counts.false_alarms) == (1.0, 1)


def test_without_any_truth_thresholds_are_raised_until_it_is_quiet() -> None:
    videos = [watched(LIKE_A_FIGHT, fights=False)]
    rule = searched(videos, false_alarms_per_hour=0.5).found.rule
    assert (rule.start_threshold, rule.end_threshold, rule.min_duration_s) == (0.75, 0.5, 0.5)


def test_without_any_truth_what_is_configured_stays_if_it_is_quiet() -> None:
    choice = searched([watched(QUIET, fights=False)], false_alarms_per_hour=0.5)
    assert (choice.reached, choice.found.rule) == (True, BASE)


def test_an_unreachable_rate_is_reported_and_the_quietest_rule_is_returned() -> None:
    confident = [1.0] * 20
    choice = searched([watched(confident, fights=False)], false_alarms_per_hour=0.5)
    assert not choice.reached
    assert choice.found.counts.false_alarms == 1


def test_every_rule_is_tried_once() -> None:
    tried: list[None] = []
    searched([watched(FIGHT)], false_alarms_per_hour=1.0, tried=lambda: tried.append(None))
    assert len(tried) == 21 * 4 * 5


def test_a_curve_falls_from_everything_to_nothing() -> None:
    videos = [watched(FIGHT), watched(LIKE_A_FIGHT, fights=False)]
    curve = threshold_curve(trial(videos), BASE)
    alarms = [point.counts.false_alarms for point in curve]
    recalls = [point.counts.recall for point in curve]
    assert alarms == sorted(alarms, reverse=True)
    assert (alarms[0] >= 1, alarms[-1]) == (True, 0)
    assert (max(recalls), recalls[-1]) == (1.0, 0.0)
    for point in curve:  # as configured: 0.4 of 0.6
        assert point.rule.end_threshold == pytest.approx(
            point.rule.start_threshold * 2 / 3, abs=1e-3
        )


def test_people_who_never_score_high_change_nothing() -> None:
    # Skipping them is an optimization; the result must equal that of processing every person.
    policy = policy_of(smoothing_s=1.0)
    quiet = trial([watched(FIGHT, QUIET)], policy).evaluate(BASE)
    assert quiet == trial([watched(FIGHT)], policy).evaluate(BASE)
    assert quiet.matched == 1


def test_a_score_that_just_reaches_the_threshold_counts() -> None:
    score = float(np.float32(0.8))
    rule = replace(BASE, start_threshold=score)
    assert trial([watched(FIGHT)]).evaluate(rule).matched == 1
    assert trial([watched(FIGHT)]).evaluate(replace(rule, start_threshold=score + 1e-9)).events == 0
