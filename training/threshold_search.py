"""Which thresholds, hysteresis and minimum duration keep an action below a false-alarm rate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipeline.track_decider import ActionRule, DecisionPolicy
from training.event_matching import TrueEvent
from training.event_metrics import EventCounts, JudgedVideo, count_events
from training.track_scores import TrackScores, VideoScores, decide_events

START_THRESHOLDS = (*(round(0.05 * step, 2) for step in range(1, 20)), 0.975, 0.99)
END_SHARES = (0.5, 0.65, 0.8, 1.0)  # of the start threshold
MIN_DURATIONS_S = (0.0, 0.5, 1.0, 2.0, 3.0)


@dataclass(frozen=True, slots=True, eq=False)
class WatchedVideo:
    """A video with its truth and the scores of its people."""

    scores: VideoScores
    truths: tuple[TrueEvent, ...]


@dataclass(frozen=True, slots=True)
class RuleCounts:
    """What one rule of one action does."""

    rule: ActionRule
    counts: EventCounts


@dataclass(frozen=True, slots=True)
class RuleChoice:
    """The rule that was found for an action."""

    action: str
    found: RuleCounts
    reached: bool  # the false-alarm rate that was asked for


def judge(
    videos: Sequence[WatchedVideo], action: str, policy: DecisionPolicy, iou: float
) -> EventCounts:
    """Decide one action anew in every video, and count.

    Args:
        videos: with truth and scores.
        action: the label; it has a rule in the policy.
        policy: the rules.
        iou: temporal, that a right event needs.
    """
    rule = policy.rules[action]
    alone = replace(policy, rules={action: rule})
    judged = []
    for video in videos:
        scores = video.scores
        tracks = _possible(scores.tracks, scores.labels.index(action), rule.start_threshold)
        events = tuple(decide_events(tracks, scores.labels, alone))
        judged.append(JudgedVideo(str(scores.path), scores.duration_s, video.truths, events))
    return count_events(judged, action, iou)


def threshold_curve(
    videos: Sequence[WatchedVideo], action: str, policy: DecisionPolicy, iou: float
) -> list[RuleCounts]:
    """What other start thresholds would do.

    The end threshold keeps its share of the start threshold, the durations stay.
    """
    rules = _scaled(policy.rules[action])
    return [_try(videos, action, policy, rule, iou) for rule in rules]


def search_rule(
    videos: Sequence[WatchedVideo],
    action: str,
    policy: DecisionPolicy,
    *,
    iou: float,
    false_alarms_per_hour: float,
    tried: Callable[[], object] = lambda: None,
) -> RuleChoice:
    """Find the rule that misses least while false alarms stay below a rate.

    Of rules that find as much, the one with fewer false alarms, then the more precise, the faster
    and the higher one is taken. Where no truth of the action is known, only the thresholds are
    searched, and the lowest that keep the rate are taken. If no rule keeps it, the one with the
    fewest false alarms is.

    Args:
        videos: with truth and scores.
        action: the label; it has a rule in the policy, whose `min_gap_s` stays.
        policy: what is configured.
        iou: temporal, that a right event needs.
        false_alarms_per_hour: of one camera, at most.
        tried: called after each rule.
    """
    results = []
    is_known = any(truth.action == action for video in videos for truth in video.truths)
    base = policy.rules[action]
    for rule in _rules(base) if is_known else _scaled(base):
        results.append(_try(videos, action, policy, rule, iou))
        tried()
    kept = [each for each in results if _rate(each) <= false_alarms_per_hour]
    if not kept:
        return RuleChoice(action, min(results, key=_quietest), reached=False)
    return RuleChoice(action, max(kept, key=_merit), reached=True)


def _scaled(base: ActionRule) -> list[ActionRule]:
    """Other thresholds in the same relation; the durations stay."""
    share = base.end_threshold / base.start_threshold if base.start_threshold else 1.0
    return [
        replace(base, start_threshold=start, end_threshold=round(start * share, 4))
        for start in START_THRESHOLDS
    ]


def _rules(base: ActionRule) -> list[ActionRule]:
    return [
        replace(
            base,
            start_threshold=start,
            end_threshold=round(start * share, 4),
            min_duration_s=duration_s,
        )
        for start in START_THRESHOLDS
        for share in END_SHARES
        for duration_s in MIN_DURATIONS_S
    ]


def _try(
    videos: Sequence[WatchedVideo],
    action: str,
    policy: DecisionPolicy,
    rule: ActionRule,
    iou: float,
) -> RuleCounts:
    changed = replace(policy, rules={**policy.rules, action: rule})
    return RuleCounts(rule, judge(videos, action, changed, iou))


def _possible(tracks: Sequence[TrackScores], column: int, threshold: float) -> list[TrackScores]:
    """Tracks that can start the action: an average is never above all that it is made of."""
    # Of float32 values the average may round up by a last bit.
    least = np.nextafter(np.float32(threshold), np.float32(0.0)) - np.float32(1e-6)
    return [track for track in tracks if track.scores[:, column].max() >= least]


def _rate(result: RuleCounts) -> float:
    return result.counts.false_alarms_per_hour or 0.0


def _quietest(result: RuleCounts) -> tuple[float, ...]:
    counts = result.counts
    return counts.false_alarms, -(counts.recall or 0.0), -result.rule.start_threshold


def _merit(result: RuleCounts) -> tuple[float, ...]:
    counts, rule = result.counts, result.rule
    if not counts.truths:
        return (-rule.start_threshold,)
    delay_s = counts.delay_s(0.5)
    return (
        counts.matched,
        -counts.false_alarms,
        counts.precision or 0.0,
        -(delay_s if delay_s is not None else np.inf),
        rule.start_threshold,
    )
