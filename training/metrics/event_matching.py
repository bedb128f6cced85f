"""Match the events of a video to the truth: one to one, by time and by place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from models.boxes import FloatArray
from pipeline.types import Subject
from training.crops.person_tracks import PersonPath

# An event of whose time at least this fraction lies inside true intervals is no false alarm,
# whatever its borders are.
TRUE_FRACTION = 0.5
# A truth with a box is of the person of whose boxes at least this fraction lies inside, on average.
SAME_PERSON_FRACTION = 0.5

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class TrueEvent:
    """A person, or a group, does something from `start_s` to `end_s`."""

    action: str
    start_s: float  # seconds of the video
    end_s: float
    path: PersonPath | None  # None: any person of the scene


@dataclass(frozen=True, slots=True, eq=False)
class FoundEvent:
    """An action of a person or group as the pipeline reported it."""

    action: str
    subject: Subject
    start_s: float  # seconds of the video
    end_s: float
    decided_s: float  # when the start was reported
    peak_score: float
    path: PersonPath  # of the person, or around the group
    members: tuple[PersonPath, ...] = ()  # of a group

    @property
    def people(self) -> tuple[PersonPath, ...]:
        """Where everyone is who does it."""
        return self.members or (self.path,)


@dataclass(frozen=True, slots=True)
class Matching:
    """How the events of one action in one video meet the truth; numbers of truths and events."""

    pairs: tuple[tuple[int, int], ...]  # truth and event, each at most once
    repeated: tuple[int, ...]  # events that a scene's truth fits, but another person has it
    wrong: tuple[int, ...]  # events that are in no pair and not repeated
    false_alarms: tuple[int, ...]  # of `wrong`: mostly at times at which nothing of it is true
    delays_s: tuple[float, ...]  # of each pair: from the true start until the reported one


def match_events(truths: Sequence[TrueEvent], events: Sequence[FoundEvent], iou: float) -> Matching:
    """Find the pairs of one action in one video.

    As many pairs as possible, and of these the ones that overlap best. Where the truth is of the
    scene and not of one person, several people may do the same thing at that time: their events
    are `repeated`, neither right nor wrong, and the delay is that of the first of them.

    Args:
        truths: of this action, in any order.
        events: of this action, in any order.
        iou: fraction of the united time that a pair must have in common, above 0.
    """
    overlap = temporal_iou(truths, events) * _same_person(truths, events)
    pairs = _pairs(overlap, iou)
    paired = {event for _, event in pairs}
    of_scene = np.array([truth.path is None for truth in truths], np.bool_)
    fits = np.asarray((overlap[of_scene] >= iou).any(axis=0)).tolist()
    repeated = [n for n in range(len(events)) if n not in paired and fits[n]]
    wrong = [n for n in range(len(events)) if n not in paired and not fits[n]]
    false_alarms = [n for n in wrong if true_fraction(events[n], truths) < TRUE_FRACTION]
    delays_s = []
    for truth, event in pairs:
        fitting = np.flatnonzero(overlap[truth] >= iou).tolist() if of_scene[truth] else [event]
        first_s = min(events[n].decided_s for n in fitting)
        delays_s.append(first_s - truths[truth].start_s)
    return Matching(
        tuple(pairs), tuple(repeated), tuple(wrong), tuple(false_alarms), tuple(delays_s)
    )


def temporal_iou(truths: Sequence[TrueEvent], events: Sequence[FoundEvent]) -> Matrix:
    """Divide common time by united time of each pair: float64 (truths, events)."""
    starts, ends = _borders(truths)
    event_starts, event_ends = _borders(events)
    common = np.minimum(ends[:, None], event_ends) - np.maximum(starts[:, None], event_starts)
    united = np.maximum(ends[:, None], event_ends) - np.minimum(starts[:, None], event_starts)
    out = np.zeros(common.shape)
    np.divide(common.clip(0.0), united, out=out, where=united > 0)
    return out


def true_fraction(event: FoundEvent, truths: Sequence[TrueEvent]) -> float:
    """Return the fraction of an event's time inside true intervals of its person or the scene."""
    mine = [truth for truth in truths if is_same_person(truth, event)]
    spans = sorted((max(t.start_s, event.start_s), min(t.end_s, event.end_s)) for t in mine)
    if event.end_s <= event.start_s:  # without a duration
        return float(any(start <= end for start, end in spans))
    covered, reached = 0.0, event.start_s
    for start, end in spans:
        covered += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return covered / (event.end_s - event.start_s)


def is_same_person(truth: TrueEvent, event: FoundEvent) -> bool:
    """Return whether a person of the event is where the truth's person is, while both last."""
    common = max(truth.start_s, event.start_s), min(truth.end_s, event.end_s)
    return any(is_where(person, truth.path, *common) for person in event.people)


def is_where(person: PersonPath, region: PersonPath | None, start_s: float, end_s: float) -> bool:
    """Return whether a person is in a region, on average over a stretch; None is everywhere."""
    if region is None:
        return True
    times = person.pts_s
    times = times[(times >= start_s) & (times <= end_s)]
    if not len(times):
        times = np.array([(start_s + end_s) / 2])
    return float(_inside(person.at(times), region.at(times)).mean()) >= SAME_PERSON_FRACTION


def _inside(boxes: FloatArray, regions: FloatArray) -> NDArray[np.float32]:
    """Return the fraction of each box in its region: float32 (N, 4) twice -> (N,)."""
    low = np.maximum(boxes[:, :2], regions[:, :2])
    high = np.minimum(boxes[:, 2:], regions[:, 2:])
    common = (high - low).clip(0).prod(axis=1)
    return np.asarray(common / (boxes[:, 2:] - boxes[:, :2]).prod(axis=1).clip(1e-6))


def _same_person(truths: Sequence[TrueEvent], events: Sequence[FoundEvent]) -> Matrix:
    rows = [[is_same_person(truth, event) for event in events] for truth in truths]
    return np.array(rows, np.float64).reshape(len(truths), len(events))


def _pairs(overlap: Matrix, iou: float) -> list[tuple[int, int]]:
    # One more pair always weighs more than all overlaps together.
    allowed = overlap >= iou
    value = np.where(allowed, 1.0 + overlap / (1 + min(overlap.shape)), 0.0)
    rows, columns = linear_sum_assignment(value, maximize=True)
    chosen = zip(rows.tolist(), columns.tolist(), strict=True)
    return [(row, column) for row, column in chosen if allowed[row, column]]


def _borders(
    spans: Sequence[TrueEvent] | Sequence[FoundEvent],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    starts = np.array([span.start_s for span in spans], np.float64)
    return starts, np.array([span.end_s for span in spans], np.float64)
