"""From scores to actions: smoothing, hysteresis and minimum duration, for one track."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from models.boxes import FloatArray
from pipeline.events import EndReason, EventKind


@dataclass(frozen=True, slots=True)
class ActionRule:
    """When one action starts and when it ends."""

    start_threshold: float  # smoothed score at which it may start
    end_threshold: float  # lower; smoothed score under which it may end
    min_duration_s: float  # it must stay above the start threshold this long
    min_gap_s: float  # it must stay under the end threshold this long


@dataclass(frozen=True, slots=True)
class DecisionPolicy:
    """What is decided about every track.

    `rules` has the actions that make events; a label without a rule is background.
    """

    rules: Mapping[str, ActionRule]
    smoothing_s: float  # time constant of the exponential average; 0 takes scores as they are
    update_interval_s: float  # at most one update per action and this many seconds


@dataclass(frozen=True, slots=True)
class Timestamp:
    """A point of a camera's time."""

    pts_s: float
    captured_at: float  # Unix seconds


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """An action starts, goes on, or ends; an event without its envelope."""

    kind: EventKind
    track_id: int
    action: str
    ordinal: int  # counts the instances of this action of this track, from 1
    score: float
    peak_score: float
    start: Timestamp
    end: Timestamp
    xyxy: FloatArray  # float32 (4,) newest known box
    reason: EndReason | None


@dataclass(slots=True)
class _ActionState:
    """Where one action of one track stands."""

    above_since: Timestamp | None = None  # idle, but the score has reached the start threshold
    below_since: Timestamp | None = None  # open, but the score is under the end threshold
    start: Timestamp | None = None  # open since; None: idle
    last: Timestamp | None = None  # newest time at which it was known to go on
    peak_score: float = 0.0
    score: float = 0.0
    updated_pts_s: float = -math.inf
    ordinal: int = 0


@dataclass(slots=True)
class TrackDecider:
    """Follows the scores of one track and says what changes."""

    track_id: int
    policy: DecisionPolicy
    _smoothed: FloatArray | None = None
    _seen_pts_s: float = 0.0
    _xyxy: FloatArray = field(default_factory=lambda: np.zeros(4, np.float32))
    _states: dict[str, _ActionState] = field(default_factory=dict)

    def observe(
        self, scores: Mapping[str, float], now: Timestamp, xyxy: FloatArray
    ) -> list[Change]:
        """Take the scores of one clip into account.

        Args:
            scores: by label, each in [0, 1].
            now: the newest frame of the clip.
            xyxy: float32 (4,) box in that frame.

        Returns:
            What changed, in the order of the policy's rules.
        """
        self._xyxy = xyxy
        smoothed = self._smooth(np.array(list(scores.values()), np.float32), now.pts_s)
        by_label = dict(zip(scores, smoothed.tolist(), strict=True))
        changes = []
        for action, rule in self.policy.rules.items():
            state = self._states.setdefault(action, _ActionState())
            state.score = by_label[action]
            change = self._step(action, rule, state, now)
            if change is not None:
                changes.append(change)
        return changes

    def finish(self, reason: EndReason) -> list[Change]:
        """End whatever is open, at the last time at which it was known to go on."""
        return [
            self._end(action, state, reason)
            for action, state in self._states.items()
            if state.start is not None
        ]

    def _smooth(self, scores: FloatArray, pts_s: float) -> FloatArray:
        if self._smoothed is None or self.policy.smoothing_s == 0:
            self._smoothed = scores
        else:
            # The weight follows the time passed, not the number of clips.
            keep = math.exp(-(pts_s - self._seen_pts_s) / self.policy.smoothing_s)
            self._smoothed = np.float32(keep) * self._smoothed + np.float32(1 - keep) * scores
        self._seen_pts_s = pts_s
        return self._smoothed

    def _step(
        self, action: str, rule: ActionRule, state: _ActionState, now: Timestamp
    ) -> Change | None:
        if state.start is None:
            return self._step_idle(action, rule, state, now)
        state.peak_score = max(state.peak_score, state.score)
        if state.score < rule.end_threshold:
            state.below_since = state.below_since or now
            is_over = now.pts_s - state.below_since.pts_s >= rule.min_gap_s
            return self._end(action, state, "below_threshold") if is_over else None
        state.below_since = None
        state.last = now
        if now.pts_s - state.updated_pts_s < self.policy.update_interval_s:
            return None
        state.updated_pts_s = now.pts_s
        return self._change("update", action, state)

    def _step_idle(
        self, action: str, rule: ActionRule, state: _ActionState, now: Timestamp
    ) -> Change | None:
        if state.score < rule.start_threshold:
            state.above_since = None
            return None
        if state.above_since is None:
            state.above_since = now
            state.peak_score = 0.0
        state.peak_score = max(state.peak_score, state.score)
        if now.pts_s - state.above_since.pts_s < rule.min_duration_s:
            return None
        state.start, state.last = state.above_since, now
        state.updated_pts_s = now.pts_s
        state.ordinal += 1
        return self._change("start", action, state)

    def _end(self, action: str, state: _ActionState, reason: EndReason) -> Change:
        change = self._change("end", action, state, reason)
        state.start = state.last = state.above_since = state.below_since = None
        return change

    def _change(
        self, kind: EventKind, action: str, state: _ActionState, reason: EndReason | None = None
    ) -> Change:
        assert state.start is not None
        assert state.last is not None
        return Change(
            kind=kind,
            track_id=self.track_id,
            action=action,
            ordinal=state.ordinal,
            score=state.score,
            peak_score=state.peak_score,
            start=state.start,
            end=state.last,
            xyxy=self._xyxy,
            reason=reason,
        )
