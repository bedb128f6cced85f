"""Decide when an action of one subject starts and ends: smoothing, hysteresis, least duration."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from models.boxes import FloatArray
from pipeline.events import EndReason, EventKind
from pipeline.types import Subject, SubjectKind


@dataclass(frozen=True, slots=True)
class ActionRule:
    """Thresholds and durations of one action."""

    start_threshold: float  # smoothed score from which it may start, in [0, 1]
    end_threshold: float  # smoothed score below which it may end, lower than the start
    min_duration_s: float  # time above the start threshold before it starts
    min_gap_s: float  # time below the end threshold before it ends


@dataclass(frozen=True, slots=True)
class DecisionPolicy:
    """How the scores of every subject become events.

    `rules` holds the actions that produce events; a label without a rule is background.
    """

    rules: Mapping[str, ActionRule]
    smoothing_s: float  # time constant of the exponential average; 0: no smoothing
    update_interval_s: float  # smallest interval between two updates of an action
    group_actions: frozenset[str] = frozenset()  # of a group; all others are of one person
    fresh_s: float = 0.0  # another recognizer's score for a label counts for so long

    def of(self, kind: SubjectKind) -> DecisionPolicy:
        """Return the policy with the rules of the actions that such a subject can do."""
        of_group = kind == "group"
        rules = {
            action: rule
            for action, rule in self.rules.items()
            if (action in self.group_actions) == of_group
        }
        return replace(self, rules=rules)


@dataclass(frozen=True, slots=True)
class Timestamp:
    """A point in time of one camera, in media time and wall-clock time."""

    pts_s: float
    captured_at: float  # Unix seconds


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """Start, update or end of an action: an event without camera, run and sequence number."""

    kind: EventKind
    subject: Subject  # with its newest known members
    action: str
    ordinal: int  # 1-based count of the instances of this action of this subject
    score: float
    peak_score: float
    start: Timestamp
    end: Timestamp
    xyxy: FloatArray  # float32 (4,) newest known box
    reason: EndReason | None


@dataclass(slots=True)
class _ActionState:
    """State of one action of one subject: idle, or open since `start`."""

    above_since: Timestamp | None = None  # idle: score above the start threshold since then
    below_since: Timestamp | None = None  # open: score below the end threshold since then
    start: Timestamp | None = None  # None: idle
    last: Timestamp | None = None  # newest time at which it was known to last
    peak_score: float = 0.0
    score: float = 0.0  # smoothed
    seen_pts_s: float | None = None  # of the newest score; None: there was none
    updated_pts_s: float = -math.inf
    ordinal: int = 0


@dataclass(slots=True)
class SubjectDecider:
    """Decides the actions of one person or group from their scores over time."""

    subject: Subject  # at first; a group's members change
    policy: DecisionPolicy  # with the rules of such a subject, see `DecisionPolicy.of`
    _xyxy: FloatArray = field(default_factory=lambda: np.zeros(4, np.float32))
    _states: dict[str, _ActionState] = field(default_factory=dict)

    def observe(
        self,
        scores: Mapping[str, float],
        now: Timestamp,
        xyxy: FloatArray,
        members: tuple[int, ...] = (),
    ) -> list[Change]:
        """Process the scores of one clip.

        Args:
            scores: by label, each in [0, 1]; of the labels that the clip's recognizer has.
            now: time of the newest frame of the clip.
            xyxy: float32 (4,) box in that frame, pixels.
            members: of a group, in that frame: track ids, sorted.

        Returns:
            The starts, updates and ends, in the order of the policy's rules.
        """
        self._xyxy = xyxy
        self.subject = replace(self.subject, members=members)
        changes = []
        for action, rule in self.policy.rules.items():
            if action not in scores:  # of another recognizer
                continue
            state = self._states.setdefault(action, _ActionState())
            state.score = self._smooth(state, scores[action], now.pts_s)
            change = self._step(action, rule, state, now)
            if change is not None:
                changes.append(change)
        return changes

    def change_to(self, policy: DecisionPolicy) -> list[Change]:
        """Judge by another policy from now on.

        Args:
            policy: with the rules of such a subject.

        Returns:
            The ends of the open actions for which it has no rule.
        """
        self.policy = policy
        changes = []
        for action, state in self._states.items():
            if action not in policy.rules:
                if state.start is not None:
                    changes.append(self._end(action, state, "rule_removed"))
                state.seen_pts_s = state.above_since = None  # if the rule comes back, it begins
        return changes

    def finish(self, reason: EndReason) -> list[Change]:
        """End all open actions, at the newest time at which they were known to last.

        Args:
            reason: recorded in each end.
        """
        return [
            self._end(action, state, reason)
            for action, state in self._states.items()
            if state.start is not None
        ]

    def _smooth(self, state: _ActionState, score: float, pts_s: float) -> float:
        newest, seen_pts_s = np.float32(score), state.seen_pts_s
        state.seen_pts_s = pts_s
        if seen_pts_s is None or self.policy.smoothing_s == 0:
            return float(newest)
        # The weight depends on the elapsed time, not on the number of clips.
        keep = math.exp(-(pts_s - seen_pts_s) / self.policy.smoothing_s)
        return float(np.float32(keep) * np.float32(state.score) + np.float32(1 - keep) * newest)

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
            subject=self.subject,
            action=action,
            ordinal=state.ordinal,
            score=state.score,
            peak_score=state.peak_score,
            start=state.start,
            end=state.last,
            xyxy=self._xyxy,
            reason=reason,
        )
