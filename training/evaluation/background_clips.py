"""Background clips judged by what the model answers: what would start, which label is highest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipeline.stages.subject_decider import ActionRule, DecisionPolicy
from training.evaluation.clip_results import ClipScore
from training.evaluation.negatives import Alarm, Negative, NegativeResult, highest_peaks, peaks_of
from training.evaluation.video_scores import SubjectScores, decide_events
from training.metrics.best_subject import judge_by_best_subject
from training.metrics.label_mapping import LabelMapping


@dataclass(frozen=True, slots=True)
class BackgroundEvaluation:
    """What accuracies over merged classes do not show."""

    answers: tuple[LabelAnswers, ...]
    starts: NegativeResult | None  # in background clips; None: there are none, or no scores in time


@dataclass(frozen=True, slots=True)
class LabelAnswers:
    """What the model's own labels took of the clips of one label of the data."""

    label: str  # of the data
    clips: int
    highest: Mapping[str, int]  # label of the model -> clips in which it is the highest of all
    above_background: Mapping[str, int]  # -> clips in which it is above all background labels
    unanswered: int  # clips in which no person could be scored


def label_answers(
    scores: Sequence[ClipScore], labels: Sequence[str], background: Sequence[str]
) -> tuple[LabelAnswers, ...]:
    """Count which labels of the model are highest, before any of them is merged.

    Args:
        scores: of the clips.
        labels: of the model, in the order of the scores.
        background: those of them that never become an event.

    Returns:
        One item per label of the data, sorted.
    """
    quiet = [number for number, label in enumerate(labels) if label in background]
    names = sorted({label for score in scores for label in score.sample.labels})
    answers = []
    for name in names:
        mine = [score for score in scores if name in score.sample.labels]
        judged = [judge_by_best_subject(score.subjects, quiet) for score in mine if score.scored]
        rows = np.array(judged, np.float32).reshape(-1, len(labels))
        highest = np.bincount(rows.argmax(axis=1), minlength=len(labels)).tolist()
        floor = rows[:, quiet].max(axis=1, initial=0.0)
        above = (rows > floor[:, None]).sum(axis=0).tolist() if quiet else [0] * len(labels)
        answers.append(
            LabelAnswers(
                name,
                len(mine),
                _counted(labels, highest),
                _counted(labels, above),
                len(mine) - len(rows),
            )
        )
    return tuple(answers)


def judge_background(
    scores: Sequence[ClipScore],
    mapping: LabelMapping,
    labels: Sequence[str],
    policy: DecisionPolicy,
) -> NegativeResult | None:
    """Decide how often each action would start in the background clips.

    Args:
        scores: of all clips.
        mapping: says which labels of the data are background.
        labels: of the model, in the order of the scores.
        policy: its rules are run over each subject's scores in time. One with scores over less
            than an action's minimum duration is judged by the mean: it starts from the start
            threshold on.

    Returns:
        None if there is no background clip.
    """
    clips = [score for score in scores if _is_background(score, mapping)]
    if not clips:
        return None
    negatives = tuple(_negative(score, labels, policy) for score in clips)
    return NegativeResult(negatives, tuple(policy.rules))


def _is_background(score: ClipScore, mapping: LabelMapping) -> bool:
    classes = {mapping.class_of_label[label] for label in score.sample.labels}
    return classes == {mapping.background}


def _negative(score: ClipScore, labels: Sequence[str], policy: DecisionPolicy) -> Negative:
    alarms = [
        alarm
        for action, rule in policy.rules.items()
        for alarm in _alarms(score.timelines, labels, policy, action, rule)
    ]
    peaks = [
        peak
        for one in score.timelines
        for peak in peaks_of(one, labels, tuple(policy.of(one.subject.kind).rules))
    ]
    sample = score.sample
    return Negative(
        path=sample.path,
        source=sample.source,
        kind=sample.kind or "|".join(sample.labels),
        seconds=score.seconds,
        alarms=tuple(alarms),
        peaks=highest_peaks(peaks),
    )


def _alarms(
    subjects: Sequence[SubjectScores],
    labels: Sequence[str],
    policy: DecisionPolicy,
    action: str,
    rule: ActionRule,
) -> list[Alarm]:
    able = [one for one in subjects if action in policy.of(one.subject.kind).rules]
    long = [one for one in able if _is_enough(one, rule)]
    events = decide_events(long, labels, replace(policy, rules={action: rule}))
    alarms = [
        Alarm(action, event.start_s, event.end_s, event.peak_score, by_rules=True)
        for event in events
    ]
    for one in able:
        mean = float(one.scores[:, labels.index(action)].mean())
        if not _is_enough(one, rule) and mean >= rule.start_threshold:
            first, last = one.path.pts_s[[0, -1]].tolist()
            alarms.append(Alarm(action, first, last, mean, by_rules=False))
    return alarms


def _is_enough(mine: SubjectScores, rule: ActionRule) -> bool:
    """Return whether an action could start by the rules in the time of the scores."""
    first, last = mine.path.pts_s[[0, -1]].tolist()
    return bool(last - first >= rule.min_duration_s)


def _counted(labels: Sequence[str], counts: Sequence[int]) -> dict[str, int]:
    return {label: count for label, count in zip(labels, counts, strict=True) if count}
