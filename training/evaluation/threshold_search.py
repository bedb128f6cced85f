"""Search thresholds, hysteresis and minimum duration for a false-alarm rate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipeline.stages.subject_decider import ActionRule, DecisionPolicy
from training.evaluation.labelled_videos import LabelledVideo
from training.evaluation.video_scores import SubjectScores, VideoScores, decide_events
from training.metrics.event_matching import FoundEvent
from training.metrics.event_metrics import EventCounts, EventVideo, count_events

START_THRESHOLDS = (*(round(0.05 * step, 2) for step in range(1, 20)), 0.975, 0.99)
END_RATIOS = (0.5, 0.65, 0.8, 1.0)  # of the start threshold
MIN_DURATIONS_S = (0.0, 0.5, 1.0, 2.0, 3.0)


@dataclass(frozen=True, slots=True)
class RuleCounts:
    """What one rule of one action does."""

    rule: ActionRule
    counts: EventCounts


@dataclass(frozen=True, slots=True)
class RuleChoice:
    """The rule that was found for an action."""

    found: RuleCounts
    reached: bool  # the false-alarm rate that was asked for


class RuleTrial:
    """Decides one action in every video again, under any rule.

    Args:
        videos: with truth and scores.
        action: the label.
        policy: whose smoothing counts.
        iou: temporal, that a right event needs.
    """

    def __init__(
        self, videos: Sequence[LabelledVideo], action: str, policy: DecisionPolicy, iou: float
    ) -> None:
        self._videos, self._action, self._policy, self._iou = videos, action, policy, iou
        self._subjects = [self._with_peaks(video.scores) for video in videos]

    def evaluate(self, rule: ActionRule) -> EventCounts:
        """Count what the rule finds."""
        judged = []
        for video, subjects in zip(self._videos, self._subjects, strict=True):
            # Who never reaches the threshold starts nothing; most people never do.
            reaching = [one for one, peak in subjects if peak >= rule.start_threshold]
            events = self._decide(reaching, video.scores, rule)
            name, duration_s = str(video.scores.path), video.scores.watched_s
            judged.append(EventVideo(name, duration_s, video.truths, tuple(events)))
        return count_events(judged, self._action, self._iou)

    def _with_peaks(self, scores: VideoScores) -> list[tuple[SubjectScores, float]]:
        """Pair who may do it with their highest smoothed score: the peak of an endless event."""
        able = "group" if self._action in self._policy.group_actions else "person"
        subjects = [one for one in scores.subjects if one.subject.kind == able]
        events = self._decide(subjects, scores, ActionRule(0.0, 0.0, 0.0, 0.0))
        return [(one, event.peak_score) for one, event in zip(subjects, events, strict=True)]

    def _decide(
        self, subjects: Sequence[SubjectScores], scores: VideoScores, rule: ActionRule
    ) -> list[FoundEvent]:
        return decide_events(
            subjects, scores.labels, replace(self._policy, rules={self._action: rule})
        )


def threshold_curve(trial: RuleTrial, base: ActionRule) -> list[RuleCounts]:
    """Evaluate other start thresholds.

    The end threshold keeps its ratio of the start threshold, the durations stay.
    """
    return [RuleCounts(rule, trial.evaluate(rule)) for rule in _scaled(base)]


def search_rule(
    trial: RuleTrial,
    base: ActionRule,
    *,
    false_alarms_per_hour: float,
    tried: Callable[[], object] = lambda: None,
) -> RuleChoice:
    """Find the rule that misses least while false alarms stay below a rate.

    Of rules that find as much, the one with fewer false alarms, then the more precise, the faster
    and the higher one is taken. Where no truth of the action is known, the gain of a lower
    threshold is unknown: what is configured stays if it keeps the rate, else its thresholds are
    raised until they do. If no rule keeps it, the one with the fewest false alarms is taken.

    Args:
        trial: of the action.
        base: what is configured; its `min_gap_s` stays.
        false_alarms_per_hour: of one camera, at most.
        tried: called after each rule.
    """
    results = []
    for rule in _rules(base) if trial.evaluate(base).truths else _raised(base):
        results.append(RuleCounts(rule, trial.evaluate(rule)))
        tried()
    kept = [each for each in results if _rate(each) <= false_alarms_per_hour]
    if not kept:
        return RuleChoice(min(results, key=_quietest), reached=False)
    return RuleChoice(max(kept, key=_merit), reached=True)


def _scaled(base: ActionRule) -> list[ActionRule]:
    """Return rules with other thresholds in the same ratio and the same durations."""
    ratio = base.end_threshold / base.start_threshold if base.start_threshold else 1.0
    return [
        replace(base, start_threshold=start, end_threshold=round(start * ratio, 4))
        for start in START_THRESHOLDS
    ]


def _raised(base: ActionRule) -> list[ActionRule]:
    """Return the configured rule and those with higher thresholds."""
    higher = [rule for rule in _scaled(base) if rule.start_threshold > base.start_threshold]
    return [base, *higher]


def _rules(base: ActionRule) -> list[ActionRule]:
    return [
        replace(
            base,
            start_threshold=start,
            end_threshold=round(start * ratio, 4),
            min_duration_s=duration_s,
        )
        for start in START_THRESHOLDS
        for ratio in END_RATIOS
        for duration_s in MIN_DURATIONS_S
    ]


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
