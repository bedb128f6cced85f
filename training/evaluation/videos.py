"""Evaluate the events of the pipeline on long labelled videos."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pipeline.stages.subject_decider import ActionRule, DecisionPolicy
from training.evaluation.labelled_videos import LabelledVideo
from training.evaluation.threshold_search import (
    RuleChoice,
    RuleCounts,
    RuleTrial,
    search_rule,
    threshold_curve,
)
from training.evaluation.video_scores import decide_events
from training.labels.samples import DataError
from training.metrics.event_matching import FoundEvent, match_events
from training.metrics.event_metrics import EventCounts
from training.metrics.label_mapping import LabelMapping

IOUS = (0.1, 0.3, 0.5, 0.7)  # reported beside the one that is asked for


@dataclass(frozen=True, slots=True)
class ActionEvents:
    """One action in all videos."""

    action: str
    rule: ActionRule  # as configured
    counts: EventCounts
    at_ious: tuple[EventCounts, ...]  # the same events, matched at other overlaps
    curve: tuple[RuleCounts, ...]  # other thresholds
    choice: RuleChoice | None  # None: no rate was asked for


@dataclass(frozen=True, slots=True, eq=False)
class EvaluatedEvent:
    """One event of the configured rules, and what became of it."""

    video: Path
    event: FoundEvent
    verdict: str  # "right", "repeated", "wrong" or "false alarm"


@dataclass(frozen=True, slots=True, eq=False)
class EventEvaluation:
    """Everything about long videos."""

    videos: tuple[LabelledVideo, ...]
    actions: tuple[ActionEvents, ...]
    events: tuple[EvaluatedEvent, ...]
    mapping: LabelMapping
    iou: float
    false_alarms_per_hour: float | None  # that was asked for, of each action

    @property
    def camera_hours(self) -> float:
        """Duration of all videos together, in hours."""
        return sum(video.scores.watched_s for video in self.videos) / 3600


def actions_to_evaluate(
    mapping: LabelMapping, policy: DecisionPolicy, wanted: Sequence[str]
) -> tuple[str, ...]:
    """Choose the actions whose events are evaluated.

    Those that are asked for; else those that the truth contains, because only for them it is known
    when they do not happen; else, if the truth is empty, all.

    Raises:
        DataError: if an action is asked for that never makes an event.
    """
    if wanted:
        return checked_actions(policy, wanted)
    labelled = {mapping.classes[number] for number in mapping.class_of_label.values()}
    return tuple(action for action in policy.rules if action in labelled) or tuple(policy.rules)


def checked_actions(policy: DecisionPolicy, wanted: Sequence[str]) -> tuple[str, ...]:
    """Return the actions that are asked for, each once.

    Raises:
        DataError: if one of them never makes an event.
    """
    for action in wanted:
        if action not in policy.rules:
            raise DataError(
                f"--action {action}: not an action that this model makes events of; "
                f"these are {', '.join(policy.rules)}"
            )
    return tuple(dict.fromkeys(wanted))


def evaluate_events(
    videos: Sequence[LabelledVideo],
    mapping: LabelMapping,
    policy: DecisionPolicy,
    actions: Sequence[str],
    *,
    iou: float,
    false_alarms_per_hour: float | None,
    tried: Callable[[str], object] = lambda action: None,
) -> EventEvaluation:
    """Evaluate the configured rules, other thresholds and, on request, searched rules.

    Args:
        videos: with truth and scores.
        mapping: of the labels.
        policy: what is configured.
        actions: that are judged.
        iou: temporal, that a right event needs.
        false_alarms_per_hour: of each action; None searches nothing.
        tried: called with the action after each rule of the search.
    """
    results = [
        _evaluated_action(
            videos, policy, action, iou, false_alarms_per_hour, partial(tried, action)
        )
        for action in actions
    ]
    events = tuple(
        event for video in videos for event in _evaluated_events(video, policy, actions, iou)
    )
    return EventEvaluation(
        tuple(videos), tuple(results), events, mapping, iou, false_alarms_per_hour
    )


def _evaluated_action(
    videos: Sequence[LabelledVideo],
    policy: DecisionPolicy,
    action: str,
    iou: float,
    target: float | None,
    tried: Callable[[], object],
) -> ActionEvents:
    rule, trial = policy.rules[action], RuleTrial(videos, action, policy, iou)
    choice = None
    if target is not None:
        choice = search_rule(trial, rule, false_alarms_per_hour=target, tried=tried)
    return ActionEvents(
        action=action,
        rule=rule,
        counts=trial.evaluate(rule),
        at_ious=tuple(RuleTrial(videos, action, policy, other).evaluate(rule) for other in IOUS),
        curve=tuple(threshold_curve(trial, rule)),
        choice=choice,
    )


def _evaluated_events(
    video: LabelledVideo, policy: DecisionPolicy, actions: Sequence[str], iou: float
) -> list[EvaluatedEvent]:
    scores = video.scores
    found = decide_events(scores.subjects, scores.labels, policy)
    judged = []
    for action in actions:
        mine = [event for event in found if event.action == action]
        truths = [truth for truth in video.truths if truth.action == action]
        matching = match_events(truths, mine, iou)
        verdicts = dict.fromkeys(range(len(mine)), "wrong")
        verdicts |= dict.fromkeys((event for _, event in matching.pairs), "right")
        verdicts |= dict.fromkeys(matching.repeated, "repeated")
        verdicts |= dict.fromkeys(matching.false_alarms, "false alarm")
        judged += [EvaluatedEvent(scores.path, mine[n], verdicts[n]) for n in range(len(mine))]
    return sorted(judged, key=lambda one: (one.event.start_s, *one.event.subject.key))
