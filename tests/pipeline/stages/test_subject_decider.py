from __future__ import annotations

import numpy as np
import pytest

from pipeline.stages.subject_decider import (
    ActionRule,
    Change,
    DecisionPolicy,
    SubjectDecider,
    Timestamp,
)
from pipeline.types import Subject

BOX = np.array([1, 2, 3, 4], np.float32)
RULE = ActionRule(start_threshold=0.6, end_threshold=0.4, min_duration_s=1.0, min_gap_s=1.0)


def decide(
    scores: str, *, step_s: float = 0.5, smoothing_s: float = 0.0, update_interval_s: float = 99.0
) -> list[Change]:
    """Feed one digit (tenths) per step; `finish` at the end."""
    policy = DecisionPolicy({"walk": RULE}, smoothing_s, update_interval_s)
    track = SubjectDecider(Subject.person(7), policy)
    changes = []
    for n, digit in enumerate(scores):
        timestamp = Timestamp(pts_s=n * step_s, captured_at=100 + n * step_s)
        changes += track.observe({"walk": int(digit) / 10, "nothing": 0.9}, timestamp, BOX)
    return changes + track.finish("track_ended")


def reported(changes: list[Change]) -> list[tuple[str, float, float]]:
    return [(change.kind, change.start.pts_s, change.end.pts_s) for change in changes]


def test_an_action_starts_when_it_has_stayed_above_its_threshold_for_the_minimum() -> None:
    #     0    .5   1.0  1.5  2.0
    #     1    7    7    7    7        above since 0.5, so it starts at 1.5
    [start, end] = decide("17777")
    assert (start.kind, start.start.pts_s, start.end.pts_s) == ("start", 0.5, 1.5)
    assert (end.kind, end.start.pts_s, end.end.pts_s) == ("end", 0.5, 2.0)


def test_a_short_spike_is_no_action() -> None:
    assert decide("1771771771") == []


def test_an_action_continues_between_the_two_thresholds() -> None:
    assert reported(decide("7775555555")) == [("start", 0.0, 1.0), ("end", 0.0, 4.5)]


def test_a_short_dip_does_not_end_it() -> None:
    assert reported(decide("777117")) == [("start", 0.0, 1.0), ("end", 0.0, 2.5)]


def test_it_ends_after_the_gap_at_its_last_confirmed_timestamp() -> None:
    [start, end] = decide("7777111")
    assert end.reason == "below_threshold"
    assert (end.start.pts_s, end.end.pts_s) == (0.0, 1.5)
    assert start.reason is None


def test_a_second_instance_has_the_next_ordinal() -> None:
    changes = decide("7771111777")
    assert [(change.kind, change.ordinal) for change in changes] == [
        ("start", 1),
        ("end", 1),
        ("start", 2),
        ("end", 2),
    ]
    assert changes[2].start.pts_s == 3.5


def test_a_lost_track_ends_what_is_open_with_its_reason() -> None:
    assert decide("777")[-1].reason == "track_ended"


def test_a_lost_track_without_an_open_action_emits_nothing() -> None:
    assert decide("77") == []


def test_updates_come_at_most_once_per_interval() -> None:
    changes = decide("7" * 12, update_interval_s=1.0)
    updates = [change.end.pts_s for change in changes if change.kind == "update"]
    assert updates == [2.0, 3.0, 4.0, 5.0]


def test_the_peak_is_the_highest_score_of_this_instance() -> None:
    changes = decide("9177861111777")
    assert [change.peak_score for change in changes] == pytest.approx([0.8, 0.8, 0.7, 0.7])


def test_smoothing_follows_time_and_not_the_number_of_clips() -> None:
    """Half as many clips of the same course end near the same smoothed score."""
    policy = DecisionPolicy({"walk": ActionRule(0.0, 0.0, 0.0, 0.0)}, 1.0, 0.0)
    scores = []
    for step_s in (0.25, 0.5):
        track = SubjectDecider(Subject.person(1), policy)
        for n in range(round(3 / step_s) + 1):
            score = 0.0 if n == 0 else 1.0
            [change] = track.observe({"walk": score}, Timestamp(n * step_s, 0.0), BOX)
        scores.append(change.score)
    assert scores == pytest.approx([1 - np.exp(-3.0)] * 2, abs=1e-5)


def test_several_actions_of_one_person_run_independently() -> None:
    rules = {"walk": RULE, "point": RULE}
    track = SubjectDecider(Subject.person(1), DecisionPolicy(rules, 0.0, 99.0))
    changes = []
    for n in range(4):
        changes += track.observe({"walk": 0.9, "point": 0.8}, Timestamp(n * 0.5, 0.0), BOX)
    assert [(change.kind, change.action) for change in changes] == [
        ("start", "walk"),
        ("start", "point"),
    ]


def test_a_label_without_a_rule_never_makes_an_event() -> None:
    assert all(change.action == "walk" for change in decide("777777777"))
