"""The life of a rule's alarms on one camera: start, updates, end, with hysteresis and limits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pipeline.events import EventKind
from pipeline.rules.conditions import ConditionWatch, Match, MatchKey
from pipeline.rules.ground_plane import GroundPlane
from pipeline.rules.limits import AlarmSubject, RuleLimits
from pipeline.rules.rule import BEGINNINGS, AlarmRule
from pipeline.rules.scene import CameraScene
from pipeline.rules.sequences import Episode, EpisodeHistory

_ROUNDING_S = 1e-6  # seconds; pts_s are floats
_FLICKER_S = 1.0  # a match that is missing for less than this continues
_MAX_MATCHES = 50  # that one alarm remembers; those that held last


@dataclass(frozen=True, slots=True)
class AlarmChange:
    """Start, update or end of an alarm: an event without camera, run and number."""

    phase: EventKind
    rule: AlarmRule
    ordinal: int  # 1-based count of the alarms of this rule on this camera
    start_pts_s: float
    end_pts_s: float  # up to which the condition is known to have held
    matches: tuple[Match, ...]  # of everyone who took part
    schedule: str | None  # the open one
    first: Episode | None  # what came before, of a rule about an order
    held_back: int  # alarms that the limit held back since the one before; of a start


@dataclass(slots=True)
class _Candidate:
    """Something that fulfils the condition, whether for long enough or not."""

    since_s: float
    seen_s: float
    first: Episode | None = None
    is_allowed: bool = True  # what must have come before did


@dataclass(slots=True, eq=False)
class _OpenAlarm:
    """An alarm that is on, or that a limit holds back."""

    ordinal: int | None  # None: held back
    start_pts_s: float
    seen_s: float  # media time at which the condition held last
    updated_s: float
    schedule: str | None
    first: Episode | None
    matches: dict[MatchKey, Match] = field(default_factory=dict)
    _people: set[int] | None = None  # None: `matches` has changed since

    def add(self, match: Match) -> None:
        if match.key not in self.matches:
            self._people = None
        self.matches[match.key] = match
        if len(self.matches) > _MAX_MATCHES:
            del self.matches[min(self.matches, key=lambda one: self.matches[one].until_pts_s)]

    @property
    def people(self) -> set[int]:
        """Stable ids of those who take part."""
        if self._people is None:
            self._people = {one for match in self.matches.values() for one in match.people}
        return self._people

    @property
    def end_pts_s(self) -> float:
        """Media time up to which the condition is known to have held."""
        until_s = max(match.until_pts_s for match in self.matches.values())
        return max(min(self.seen_s, until_s), self.start_pts_s)


class RuleAlarms:
    """One rule on one camera; `step` it with every frame, in order.

    What fulfils the condition joins an alarm that is on if it is of the same person or near to
    one of its people; so two people in one fight are one alarm.

    Args:
        rule: that holds for this camera.
        plane: the ground of the camera, for distances in metres.
        alarms: that the rule had before on this camera in this run, so that no number is repeated.
    """

    def __init__(self, rule: AlarmRule, plane: GroundPlane | None = None, alarms: int = 0) -> None:
        self.rule, self.alarms = rule, alarms
        self._watch = ConditionWatch(rule.when, plane)
        self._limits = RuleLimits(rule)
        self._candidates: dict[MatchKey, _Candidate] = {}
        self._open: list[_OpenAlarm] = []
        self._held_back = 0  # that ended before the limit had room
        self._histories: list[tuple[ConditionWatch, EpisodeHistory]] = []
        self._after = self._unless = None
        for condition in (rule.after, rule.unless):
            if condition is not None:
                kept_s = 2 * rule.within_s + rule.when.for_s
                within_s = rule.within_s if condition is rule.after else kept_s
                history = EpisodeHistory(rule.same, condition.for_s, within_s)
                self._histories.append((ConditionWatch(condition, plane), history))
                if condition is rule.after:
                    self._after = history
                else:
                    self._unless = history

    @property
    def held_back(self) -> int:
        """Alarms that the limit holds back, and that no event has reported yet."""
        return self._held_back + sum(alarm.ordinal is None for alarm in self._open)

    def step(self, scene: CameraScene) -> list[AlarmChange]:
        """Process the next frame of the camera.

        Returns:
            What changes at it, in a fixed order: alarms that are on first, then new ones.
        """
        self._limits.advance(scene.pts_s)
        for watch, history in self._histories:
            history.add(watch.matches(scene), scene.pts_s)
        found = self._watch.matches(scene)  # also while closed: it must know who entered
        schedule, is_open = self._schedule(scene.unix_s)
        matches = self._remember(found, scene.pts_s) if is_open else []
        changes = []
        known = {key: alarm for alarm in self._open for key in alarm.matches}
        new = [match for match in matches if match.key not in known]
        old = [match for match in matches if match.key in known]
        for alarm in list(self._open):
            mine = [match for match in old if known[match.key] is alarm]
            if new:
                joining, new = self._join(alarm.people, new, scene)
                mine += joining
            changes += self._continue(alarm, mine, scene.pts_s)
        matches = new
        while matches:
            mine, matches = self._cluster(matches, scene)
            if not mine:
                break
            changes += self._begin(mine, schedule, scene)
        self._forget(scene)
        return changes

    def finish(self) -> list[AlarmChange]:
        """End all alarms, at the newest time at which their conditions held."""
        last_s = max((alarm.seen_s for alarm in self._open), default=0.0)
        changes = [c for alarm in list(self._open) for c in self._end(alarm, last_s)]
        self._candidates.clear()
        self._watch.clear()
        for watch, history in self._histories:
            watch.clear()
            history.clear()
        return changes

    def _schedule(self, unix_s: float | None) -> tuple[str | None, bool]:
        """Return the name of a schedule that is open, and whether the rule holds."""
        for name, schedule in self.rule.schedules:
            if schedule.is_open(unix_s):
                return name, True
        return None, not self.rule.schedules

    def _remember(self, found: Iterable[Match], pts_s: float) -> list[Match]:
        """Return the matches that count, and since when each holds."""
        counting = []
        needs_beginning = self.rule.when.person in BEGINNINGS
        for match in found:
            known = self._candidates.get(match.key)
            if known is None:
                if needs_beginning and not match.begins:
                    continue
                since_s = match.since_pts_s if match.begins else pts_s
                known = self._candidates[match.key] = _Candidate(since_s, pts_s)
                if self._after is not None:
                    known.first = self._after.before(match, since_s)
                    known.is_allowed = known.first is not None
            known.seen_s = pts_s
            if known.is_allowed:
                counting.append(match)
        return counting

    def _join(
        self, people: Iterable[int], matches: list[Match], scene: CameraScene
    ) -> tuple[list[Match], list[Match]]:
        """Split matches into those near to some people, also through each other, and others."""
        near, reached = scene.near(self.rule.near), set(people)
        mine, others, grows = list[Match](), matches, True
        while grows and others:
            rest = []
            for match in others:
                if match.joins and _touches(match.people, reached, near):
                    mine.append(match)
                    reached.update(match.people)
                else:
                    rest.append(match)
            grows, others = len(rest) < len(others), rest
        return mine, others

    def _cluster(self, matches: list[Match], scene: CameraScene) -> tuple[list[Match], list[Match]]:
        """Return the matches of one new alarm, and those that are left; none: no alarm."""
        for seed in matches:
            if self._may_seed(seed, scene):
                others = [match for match in matches if match is not seed]
                people = seed.people if seed.joins else ()
                joining, others = self._join(people, others, scene)
                return [seed, *joining], others
        return [], []

    def _may_seed(self, match: Match, scene: CameraScene) -> bool:
        candidate = self._candidates[match.key]
        if scene.pts_s - candidate.since_s < self.rule.when.for_s - _ROUNDING_S:
            return False
        if not self._limits.is_cool(scene.pts_s):
            return False
        if not self._limits.may_alarm(_subjects([match]), scene.pts_s):
            return False
        if self._unless is None:
            return True
        first = candidate.first
        start_s = candidate.since_s - self.rule.within_s if first is None else first.began_s
        return not self._unless.since(match, start_s)

    def _begin(
        self, mine: list[Match], schedule: str | None, scene: CameraScene
    ) -> list[AlarmChange]:
        if not self._is_company(mine, scene):
            return []
        first = next((one.first for one in map(self._candidate, mine) if one.first), None)
        start_s = min(candidate.since_s for candidate in map(self._candidate, mine))
        alarm = _OpenAlarm(None, start_s, scene.pts_s, scene.pts_s, schedule, first)
        for match in mine:
            alarm.add(match)
        self._open.append(alarm)
        return self._let_through(alarm, scene.pts_s)

    def _let_through(self, alarm: _OpenAlarm, pts_s: float) -> list[AlarmChange]:
        """Start a held-back alarm if the limit has room."""
        if not self._limits.has_room(pts_s):
            return []
        self.alarms += 1
        alarm.ordinal, alarm.updated_s = self.alarms, pts_s
        held_back, self._held_back = self._held_back, 0
        self._limits.started(pts_s)
        return [self._change("start", alarm, held_back)]

    def _is_company(self, mine: list[Match], scene: CameraScene) -> bool:
        """Return whether as many people as asked for do it, or are near to those who do."""
        least = self.rule.when.people
        if least <= 1:
            return True
        present, near = set(scene.present), scene.near(self.rule.near)
        doing = {one for match in mine for one in match.people}
        beside = {other for one in doing for other in near.get(one, ()) if other in present}
        return len(doing | beside) >= least

    def _continue(self, alarm: _OpenAlarm, mine: list[Match], pts_s: float) -> list[AlarmChange]:
        for match in mine:
            alarm.add(match)
        if not mine:
            is_over = pts_s - alarm.seen_s >= self.rule.end_after_s - _ROUNDING_S
            return self._end(alarm, pts_s) if is_over else []
        alarm.seen_s = pts_s
        if alarm.ordinal is None:
            return self._let_through(alarm, pts_s)
        if pts_s - alarm.updated_s < self.rule.update_interval_s - _ROUNDING_S:
            return []
        alarm.updated_s = pts_s
        return [self._change("update", alarm)]

    def _end(self, alarm: _OpenAlarm, pts_s: float) -> list[AlarmChange]:
        self._open.remove(alarm)
        if alarm.ordinal is None:  # held back for good
            self._held_back += 1
            return []
        self._limits.ended(_subjects(alarm.matches.values()), pts_s)
        return [self._change("end", alarm)]

    def _change(self, phase: EventKind, alarm: _OpenAlarm, held_back: int = 0) -> AlarmChange:
        assert alarm.ordinal is not None
        return AlarmChange(
            phase=phase,
            rule=self.rule,
            ordinal=alarm.ordinal,
            start_pts_s=alarm.start_pts_s,
            end_pts_s=alarm.end_pts_s,
            matches=tuple(alarm.matches.values()),
            schedule=alarm.schedule,
            first=alarm.first,
            held_back=held_back,
        )

    def _candidate(self, match: Match) -> _Candidate:
        return self._candidates[match.key]

    def _forget(self, scene: CameraScene) -> None:
        gone = [
            key for key, one in self._candidates.items() if scene.pts_s - one.seen_s > _FLICKER_S
        ]
        for key in gone:
            del self._candidates[key]
        for _, history in self._histories:
            history.forget(scene)


def _touches(
    people: tuple[int, ...], reached: set[int], near: Mapping[int, frozenset[int]]
) -> bool:
    """Return whether any of some people is among others, or near to one of them."""
    if not reached.isdisjoint(people):
        return True
    return any(one in near and not near[one].isdisjoint(reached) for one in people)


def _subjects(matches: Iterable[Match]) -> list[AlarmSubject]:
    """Return whom a cool-down is of: the people, or the zone whose number of people it is."""
    return [
        subject
        for match in matches
        for subject in (match.people if match.joins else (match.zone or "",))
    ]
