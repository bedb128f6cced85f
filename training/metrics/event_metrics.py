"""Practical measures of events on long videos: hits, misses, false alarms, delay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaincinv

from training.metrics.event_matching import FoundEvent, TrueEvent, match_events

CERTAINTY = 0.95


@dataclass(frozen=True, slots=True, eq=False)
class EventVideo:
    """One video: what is true in it, and what was found."""

    name: str
    duration_s: float
    truths: tuple[TrueEvent, ...]
    events: tuple[FoundEvent, ...]


@dataclass(frozen=True, slots=True)
class EventCounts:
    """One action in all videos together."""

    action: str
    iou: float  # temporal, that a right event needs
    truths: int
    matched: int  # truths that an event was paired with
    repeated: int  # further people at a true event of the scene: neither right nor wrong
    wrong: int  # events that fit no truth
    false_alarms: int  # of these, the ones at times at which nothing of it is true
    delays_s: tuple[float, ...]  # of the matched: from the true start until the reported one
    camera_hours: float

    @property
    def events(self) -> int:
        """Number of events that were found."""
        return self.matched + self.repeated + self.wrong

    @property
    def precision(self) -> float | None:
        """Fraction of the events that are right; None without events."""
        judged = self.matched + self.wrong
        return self.matched / judged if judged else None

    @property
    def recall(self) -> float | None:
        """Fraction of the truths that were found; None without truths."""
        return self.matched / self.truths if self.truths else None

    @property
    def false_alarms_per_hour(self) -> float | None:
        """False alarms per hour of one camera; None if there is no video."""
        return self.false_alarms / self.camera_hours if self.camera_hours else None

    @property
    def false_alarms_per_hour_at_most(self) -> float | None:
        """Rate that is not exceeded with 95 % confidence (Poisson), per hour of one camera."""
        return rate_at_most(self.false_alarms, self.camera_hours)

    def delay_s(self, quantile: float) -> float | None:
        """Return a quantile of the detection delay in seconds; None without matched events."""
        return float(np.quantile(self.delays_s, quantile)) if self.delays_s else None


def rate_at_most(count: int, hours: float) -> float | None:
    """Bound a Poisson rate, per hour: upper end of its one-sided 95 % interval.

    Nothing seen in an hour is compatible with up to three per hour ("rule of three").
    """
    if not hours:
        return None
    return float(gammaincinv(count + 1, CERTAINTY) / hours)


def count_events(videos: Sequence[EventVideo], action: str, iou: float) -> EventCounts:
    """Match one action in every video and add up.

    Args:
        videos: every video that was processed, also those in which nothing is true.
        action: the label.
        iou: temporal, that a right event needs; above 0.
    """
    truths = matched = repeated = wrong = false_alarms = 0
    delays_s: list[float] = []
    for video in videos:
        true = [truth for truth in video.truths if truth.action == action]
        found = [event for event in video.events if event.action == action]
        matching = match_events(true, found, iou)
        truths += len(true)
        matched += len(matching.pairs)
        repeated += len(matching.repeated)
        wrong += len(matching.wrong)
        false_alarms += len(matching.false_alarms)
        delays_s += matching.delays_s
    hours = sum(video.duration_s for video in videos) / 3600
    return EventCounts(
        action, iou, truths, matched, repeated, wrong, false_alarms, tuple(delays_s), hours
    )
