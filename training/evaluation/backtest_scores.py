"""Judge the alarms and actions of a back-test by labelled intervals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.backtest.occurrences import Occurrence, OccurrenceKind
from pipeline.backtest.run import SeenTime
from pipeline.types import Subject
from training.crops.person_tracks import PersonPath
from training.labels.intervals import LabelledInterval, LabelledIntervals
from training.labels.samples import DataError
from training.metrics.event_matching import FoundEvent, TrueEvent
from training.metrics.event_metrics import EventCounts, EventVideo, count_events
from training.metrics.exact_intervals import fraction_interval, rate_interval
from training.metrics.resampling import Interval

ANY_OVERLAP = 1e-9  # temporal intersection over union: of any two that overlap, more
SHORTEST_S = 0.5  # what ends with its first score lasts until the next would have come

Seen = Mapping[tuple[str, str], SeenTime]  # by recording and camera


@dataclass(frozen=True, slots=True)
class JudgedRule:
    """How often a rule or an action was right."""

    kind: OccurrenceKind
    counts: EventCounts  # `counts.action` is its name

    @property
    def precision_interval(self) -> Interval | None:
        """The exact 95 % interval of the precision."""
        return fraction_interval(self.counts.matched, self.counts.matched + self.counts.wrong)

    @property
    def recall_interval(self) -> Interval | None:
        """The exact 95 % interval of the recall."""
        return fraction_interval(self.counts.matched, self.counts.truths)

    @property
    def rate_interval(self) -> Interval | None:
        """The exact 95 % interval of the false alarms per camera hour."""
        return rate_interval(self.counts.false_alarms, self.counts.camera_hours)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What labels say of a back-test."""

    rules: tuple[JudgedRule, ...]
    not_judged: tuple[str, ...]  # rules and actions that no label stands for
    unlabelled: tuple[str, ...]  # cameras that no label is of
    unseen: tuple[LabelledInterval, ...]  # of which there are no observations


def judge(
    occurrences: Sequence[Occurrence],
    seen: Seen,
    labels: LabelledIntervals,
    *,
    aliases: Mapping[str, str],
    background: Collection[str],
) -> Judgement:
    """Match what was reported to what is true, by time, in every camera that is labelled.

    Whatever overlaps a label is right: an alarm need not last as long as what it reports. A label
    is found once; further reports of it are neither right nor wrong.

    Args:
        occurrences: of one configuration.
        seen: how long each camera was seen.
        labels: a row whose label is background only says that its camera is labelled.
        aliases: the rule or action that a label stands for, where the names differ.
        background: labels that stand for nothing.

    Raises:
        DataError: if the labels do not say which run or time they are of.
    """
    _check_times(occurrences, seen, labels)
    true, unseen = defaultdict[str, list[TrueEvent]](list), list[LabelledInterval]()
    for one in labels.intervals:
        truth = _truth(one, seen, labels.are_times_of_day, aliases.get(one.label, one.label))
        if one.label in background and one.label not in aliases:
            continue
        if truth is None:
            unseen.append(one)
        else:
            true[one.camera_id].append(truth)
    found = defaultdict[tuple[OccurrenceKind, str], list[FoundEvent]](list)
    for each in occurrences:
        if each.camera_id in labels.cameras:
            event = _found(each, labels.are_times_of_day)
            found[each.kind, each.camera_id].append(event)
    named = dict.fromkeys((each.kind, each.name) for each in occurrences)
    labelled = {truth.action for each in true.values() for truth in each}
    judged = [key for key in named if key[1] in labelled or not labelled]
    judged += [("action", name) for name in sorted(labelled - {name for _, name in named})]
    hours_s = {camera: _seconds(camera, seen) for camera in labels.cameras}
    rules = []
    for kind, name in judged:
        videos = [
            EventVideo(camera, hours_s[camera], tuple(true[camera]), tuple(found[kind, camera]))
            for camera in labels.cameras
        ]
        rules.append(JudgedRule(kind, count_events(videos, name, ANY_OVERLAP)))
    observed = dict.fromkeys(camera for _, camera in seen)
    return Judgement(
        tuple(rules),
        tuple(f"{kind} {name}" for kind, name in named if (kind, name) not in judged),
        tuple(camera for camera in observed if camera not in labels.cameras),
        tuple(unseen),
    )


def _check_times(occurrences: Sequence[Occurrence], seen: Seen, labels: LabelledIntervals) -> None:
    if labels.are_times_of_day:
        if any(one.start_at is None for one in occurrences):
            raise DataError("the labels are times of day, and this run had none: label in seconds")
        return
    for camera in labels.cameras:
        runs = [recording for recording, other in seen if other == camera]
        if len(runs) > 1:
            raise DataError(
                f"{camera}: the labels are seconds, and there are {len(runs)} runs of it "
                f"({', '.join(runs)}): choose one with --run, or label in times of day"
            )


def _truth(
    one: LabelledInterval, seen: Seen, are_times_of_day: bool, name: str
) -> TrueEvent | None:
    """Return the truth as far as its camera was seen; None if it was not."""
    spans = []
    for (_, camera), time in seen.items():
        if camera == one.camera_id and time.first is not None and time.newest is not None:
            ends = time.first, time.newest
            spans += [[f.seen_at for f in ends] if are_times_of_day else [f.pts_s for f in ends]]
    if not spans:
        return None
    first, last = min(span[0] for span in spans), max(span[1] for span in spans)
    start_s = first if one.start_s is None else max(first, one.start_s)
    end_s = last if one.end_s is None else min(last, one.end_s)
    if start_s >= end_s:
        return None
    return TrueEvent(name, start_s, end_s, None)


def _found(one: Occurrence, are_times_of_day: bool) -> FoundEvent:
    delay_s = one.decided_pts_s - one.start_pts_s
    start_s, end_s = one.start_pts_s, one.end_pts_s
    if are_times_of_day:
        assert one.start_at is not None, "checked before"
        assert one.end_at is not None, "both or none"
        start_s, end_s = one.start_at, one.end_at
    # Where it was does not count: a label is of its whole camera.
    path = PersonPath(np.array([start_s]), np.zeros((1, 4), np.float32))
    subject, end_s = Subject.person(0), max(end_s, start_s + SHORTEST_S)
    return FoundEvent(one.name, subject, start_s, end_s, start_s + delay_s, one.score or 0.0, path)


def _seconds(camera_id: str, seen: Seen) -> float:
    return sum(time.seconds for (_, camera), time in seen.items() if camera == camera_id)
