"""False alarms on video in which nothing of interest happens: counts with exact intervals.

A negative is a stretch of video without an action: a background clip, or everyday video.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from training.evaluation.video_scores import SubjectScores
from training.metrics.event_metrics import rate_at_most
from training.metrics.exact_intervals import fraction_interval, rate_interval
from training.metrics.resampling import Interval


@dataclass(frozen=True, slots=True)
class Alarm:
    """An action that starts where it is not true."""

    action: str
    start_s: float  # seconds of the file
    end_s: float
    score: float  # highest of it
    by_rules: bool  # False: too few scores for the decision rules; its mean reaches the threshold


@dataclass(frozen=True, slots=True)
class Peak:
    """The highest score of an action in a negative, whether it alarms or not."""

    action: str
    score: float
    at_s: float  # seconds of the file; end of the clip that has it


@dataclass(frozen=True, slots=True)
class Negative:
    """A stretch of video, and what the model makes of it."""

    path: Path
    source: str | None  # of a recording that was put together
    kind: str
    seconds: float  # in which an alarm could be
    alarms: tuple[Alarm, ...]
    peaks: tuple[Peak, ...]  # of each judged action that has scores
    true_actions: frozenset[str] = frozenset()  # labelled there: no alarm of them is false


@dataclass(frozen=True, slots=True)
class AlarmRate:
    """False alarms of one action, or of all."""

    action: str | None  # None: all that are judged
    negatives: int
    alarmed: int  # negatives with an alarm
    alarms: int
    hours: float

    @property
    def alarmed_fraction(self) -> float | None:
        """Fraction of the negatives with an alarm; None without any."""
        return self.alarmed / self.negatives if self.negatives else None

    @property
    def alarmed_interval(self) -> Interval | None:
        """Exact interval of `alarmed_fraction` (Clopper-Pearson)."""
        return fraction_interval(self.alarmed, self.negatives)

    @property
    def per_hour(self) -> float | None:
        """False alarms per hour; None without time."""
        return self.alarms / self.hours if self.hours else None

    @property
    def per_hour_interval(self) -> Interval | None:
        """Exact interval of `per_hour` (Poisson)."""
        return rate_interval(self.alarms, self.hours)

    def sentence(self) -> str:
        """Say what so much video proves."""
        minutes = 60 * self.hours
        alarms = "1 alarm" if self.alarms == 1 else f"{self.alarms} alarms"
        at_most = rate_at_most(self.alarms, self.hours)
        span = self.per_hour_interval
        if at_most is None or span is None:
            return "no video in which an alarm could be: nothing is proved"
        if not self.alarms:
            return (
                f"no alarm in {minutes:.1f} minutes rules out more than {at_most:.3g} an hour "
                "(95 %)"
            )
        return (
            f"{alarms} in {minutes:.1f} minutes: {self.per_hour:.3g} an hour, "
            f"{span.low:.3g} to {span.high:.3g} (95 %)"
        )


@dataclass(frozen=True, slots=True)
class KindRate:
    """False alarms in one kind of everyday behaviour."""

    kind: str
    rate: AlarmRate  # of all judged actions
    peak: Peak | None  # the highest score of any judged action
    peak_in: Negative | None


@dataclass(frozen=True, slots=True)
class NegativeResult:
    """What the model makes of all negatives."""

    negatives: tuple[Negative, ...]
    actions: tuple[str, ...]  # that are judged

    @property
    def rates(self) -> tuple[AlarmRate, ...]:
        """Each action, the ones with most alarms first."""
        rates = [alarm_rate(self.negatives, self.actions, action) for action in self.actions]
        return tuple(sorted(rates, key=lambda rate: (-rate.alarms, -rate.alarmed)))

    @property
    def total(self) -> AlarmRate:
        """All judged actions together."""
        return alarm_rate(self.negatives, self.actions)

    @property
    def kinds(self) -> tuple[KindRate, ...]:
        """Each kind: those with most alarms per hour first, then those that come closest."""
        ordered = sorted(self.negatives, key=lambda one: one.kind)
        kinds = [
            _kind_rate(kind, tuple(group), self.actions)
            for kind, group in groupby(ordered, key=lambda one: one.kind)
        ]
        return tuple(sorted(kinds, key=_loudness))

    @property
    def alarmed(self) -> tuple[tuple[Negative, Alarm], ...]:
        """Every alarm with its place, the kinds in the order of `kinds`."""
        order = {kind.kind: number for number, kind in enumerate(self.kinds)}
        found = [(one, alarm) for one in self.negatives for alarm in one.alarms]
        return tuple(sorted(found, key=lambda each: (order[each[0].kind], -each[1].score)))

    @property
    def without_rules(self) -> int:
        """Number of alarms that were judged by their mean score alone."""
        return sum(not alarm.by_rules for _, alarm in self.alarmed)


def alarm_rate(
    negatives: Sequence[Negative], actions: Sequence[str], action: str | None = None
) -> AlarmRate:
    """Count the false alarms of an action, or of all, where it is not true.

    Args:
        negatives: any number.
        actions: that are judged.
        action: one of them; None: all together.
    """
    wanted = set(actions) if action is None else {action}
    judged = [one for one in negatives if wanted - one.true_actions]
    counts = [sum(alarm.action in wanted for alarm in one.alarms) for one in judged]
    hours = sum(one.seconds for one in judged) / 3600
    return AlarmRate(action, len(judged), sum(map(bool, counts)), sum(counts), hours)


def peaks_of(
    subject: SubjectScores,
    labels: Sequence[str],
    actions: Sequence[str],
    start_s: float = 0.0,
    end_s: float = math.inf,
) -> list[Peak]:
    """Return the highest score of each action of one subject in clips that end in a stretch.

    Args:
        subject: with its scores over time.
        labels: of the scores, in order.
        actions: of these labels.
        start_s: of the stretch, seconds of the video.
        end_s: of the stretch.
    """
    ends_s = subject.path.pts_s
    inside = (ends_s >= start_s) & (ends_s <= end_s)
    if not inside.any():
        return []
    scores, ends_s = subject.scores[inside], ends_s[inside]
    columns = [(action, scores[:, labels.index(action)]) for action in actions]
    return [
        Peak(action, float(column.max()), float(ends_s[column.argmax()]))
        for action, column in columns
    ]


def highest_peaks(peaks: Iterable[Peak]) -> tuple[Peak, ...]:
    """Keep the highest peak of each action, in the order in which actions first appear."""
    best: dict[str, Peak] = {}
    for peak in peaks:
        if peak.action not in best or peak.score > best[peak.action].score:
            best[peak.action] = peak
    return tuple(best.values())


def _kind_rate(kind: str, negatives: Sequence[Negative], actions: Sequence[str]) -> KindRate:
    peaks = [(peak, one) for one in negatives for peak in one.peaks]
    peak, where = max(peaks, key=lambda each: each[0].score, default=(None, None))
    return KindRate(kind, alarm_rate(negatives, actions), peak, where)


def _loudness(kind: KindRate) -> tuple[float, float, str]:
    peak = 0.0 if kind.peak is None else kind.peak.score
    return -(kind.rate.per_hour or 0.0), -peak, kind.kind
