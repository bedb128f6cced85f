"""Watch long labelled videos with the pipeline and judge the events that come of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pipeline.errors import SourceError
from pipeline.track_decider import ActionRule, DecisionPolicy
from training.event_matching import FoundEvent, TrueEvent, match_events
from training.event_metrics import EventCounts
from training.label_mapping import LabelMapping
from training.sample_regions import region_of
from training.samples import DataError, Sample
from training.threshold_search import (
    RuleChoice,
    RuleCounts,
    RuleTrial,
    WatchedVideo,
    search_rule,
    threshold_curve,
)
from training.track_scores import VideoScores, decide_events

IOUS = (0.1, 0.3, 0.5, 0.7)  # told beside the one that is asked for


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
class JudgedEvent:
    """One event of the configured rules, and what became of it."""

    video: Path
    event: FoundEvent
    verdict: str  # "right", "repeated", "wrong" or "false alarm"


@dataclass(frozen=True, slots=True, eq=False)
class EventEvaluation:
    """Everything about long videos."""

    videos: tuple[WatchedVideo, ...]
    actions: tuple[ActionEvents, ...]
    events: tuple[JudgedEvent, ...]
    mapping: LabelMapping
    iou: float
    false_alarms_per_hour: float | None  # that was asked for, of each action

    @property
    def camera_hours(self) -> float:
        """Of all videos together."""
        return sum(video.scores.duration_s for video in self.videos) / 3600


@dataclass(frozen=True, slots=True)
class UnreadableVideo:
    """A video that is left out."""

    path: Path
    reason: str


def watch_videos(
    samples: Sequence[Sample], mapping: LabelMapping, run: Callable[[Path], VideoScores]
) -> tuple[list[WatchedVideo], list[UnreadableVideo]]:
    """Run the pipeline once over every video.

    Args:
        samples: true intervals; a row whose label is background only says that its video is to be
            watched.
        mapping: of the samples' labels.
        run: see `pipeline_scores.score_video`.

    Raises:
        DataError: if an interval does not fit its video.
    """
    by_path: dict[Path, list[Sample]] = defaultdict(list)
    for sample in samples:
        by_path[sample.path].append(sample)
    watched, unreadable = [], []
    for path, mine in by_path.items():
        try:
            scores = run(path)
        except SourceError as error:
            unreadable.append(UnreadableVideo(path, str(error).removeprefix(f"{path}: ")))
            continue
        truths = tuple(truth for sample in mine for truth in _truths(sample, mapping, scores))
        watched.append(WatchedVideo(scores, truths))
    return watched, unreadable


def _truths(sample: Sample, mapping: LabelMapping, scores: VideoScores) -> list[TrueEvent]:
    start_s = sample.start_s or 0.0
    end_s = scores.duration_s if sample.end_s is None else min(sample.end_s, scores.duration_s)
    if start_s >= end_s:
        raise DataError(
            f"{sample.origin}: start {start_s:g} lies behind the end of {sample.path}, "
            f"which lasts {scores.duration_s:.1f} s"
        )
    classes = {mapping.class_of_label[label] for label in sample.labels} - {mapping.background}
    region = region_of(sample, scores.wh, scores.frame_pts_s)
    return [
        TrueEvent(mapping.classes[number], start_s, end_s, region) for number in sorted(classes)
    ]


def actions_to_judge(
    mapping: LabelMapping, policy: DecisionPolicy, wanted: Sequence[str]
) -> tuple[str, ...]:
    """Which actions are judged.

    Those that are asked for; else those that the truth contains, because only of them it is known
    when they do not happen; else, if nothing happens in the videos, all.

    Raises:
        DataError: if an action is asked for that never makes an event.
    """
    for action in wanted:
        if action not in policy.rules:
            raise DataError(
                f"--action {action}: not an action that this model makes events of; "
                f"these are {', '.join(policy.rules)}"
            )
    if wanted:
        return tuple(dict.fromkeys(wanted))
    labelled = {mapping.classes[number] for number in mapping.class_of_label.values()}
    return tuple(action for action in policy.rules if action in labelled) or tuple(policy.rules)


def evaluate_events(
    videos: Sequence[WatchedVideo],
    mapping: LabelMapping,
    policy: DecisionPolicy,
    actions: Sequence[str],
    *,
    iou: float,
    false_alarms_per_hour: float | None,
    tried: Callable[[str], object] = lambda action: None,
) -> EventEvaluation:
    """Judge the configured rules, and others beside them.

    Args:
        videos: with truth and scores.
        mapping: of the labels.
        policy: what is configured.
        actions: that are judged.
        iou: temporal, that a right event needs.
        false_alarms_per_hour: of each action; None searches nothing.
        tried: told the action after each rule of the search.
    """
    results = [
        _judged_action(videos, policy, action, iou, false_alarms_per_hour, partial(tried, action))
        for action in actions
    ]
    events = tuple(
        event for video in videos for event in _judged_events(video, policy, actions, iou)
    )
    return EventEvaluation(
        tuple(videos), tuple(results), events, mapping, iou, false_alarms_per_hour
    )


def _judged_action(
    videos: Sequence[WatchedVideo],
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
        counts=trial.judge(rule),
        at_ious=tuple(RuleTrial(videos, action, policy, other).judge(rule) for other in IOUS),
        curve=tuple(threshold_curve(trial, rule)),
        choice=choice,
    )


def _judged_events(
    video: WatchedVideo, policy: DecisionPolicy, actions: Sequence[str], iou: float
) -> list[JudgedEvent]:
    scores = video.scores
    found = decide_events(scores.tracks, scores.labels, policy)
    judged = []
    for action in actions:
        mine = [event for event in found if event.action == action]
        truths = [truth for truth in video.truths if truth.action == action]
        matching = match_events(truths, mine, iou)
        verdicts = dict.fromkeys(range(len(mine)), "wrong")
        verdicts |= dict.fromkeys((event for _, event in matching.pairs), "right")
        verdicts |= dict.fromkeys(matching.repeated, "repeated")
        verdicts |= dict.fromkeys(matching.false_alarms, "false alarm")
        judged += [JudgedEvent(scores.path, mine[n], verdicts[n]) for n in range(len(mine))]
    return sorted(judged, key=lambda one: (one.event.start_s, one.event.track_id))
