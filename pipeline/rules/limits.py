"""How often a rule may alarm: cool-downs, and a number per hour."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field

from pipeline.rules.rule import AlarmRule

_HOUR_S = 3600.0
_MAX_SUBJECTS = 1000  # whose cool-down is remembered; the newest ones
AlarmSubject = int | str  # stable id of a person, or name of a zone ("": the image)


@dataclass(slots=True)
class RuleLimits:
    """What one rule has alarmed on one camera, as far as it bounds further alarms; media time."""

    rule: AlarmRule
    _newest_s: float = 0.0
    _ended_s: float | None = None  # of the newest alarm
    _cool_until_s: dict[AlarmSubject, float] = field(default_factory=dict)
    _starts_s: deque[float] = field(default_factory=deque)  # in the last hour

    def advance(self, pts_s: float) -> None:
        """Take the time of the next frame; one before the last is of a camera that began again."""
        if pts_s < self._newest_s:
            self._ended_s = None
            self._cool_until_s.clear()
            self._starts_s.clear()
        self._newest_s = pts_s

    def is_cool(self, pts_s: float) -> bool:
        """Return whether the cool-down of the rule is over."""
        return self._ended_s is None or pts_s - self._ended_s >= self.rule.cool_down_s

    def may_alarm(self, subjects: Collection[AlarmSubject], pts_s: float) -> bool:
        """Return whether the cool-down of any of the subjects is over."""
        if not self._cool_until_s:
            return True
        return any(self._cool_until_s.get(one, pts_s) <= pts_s for one in subjects)

    def has_room(self, pts_s: float) -> bool:
        """Return whether the number per hour allows one more alarm."""
        if self.rule.max_per_hour is None:
            return True
        while self._starts_s and pts_s - self._starts_s[0] >= _HOUR_S:
            self._starts_s.popleft()
        return len(self._starts_s) < self.rule.max_per_hour

    def started(self, pts_s: float) -> None:
        """Count an alarm that starts."""
        if self.rule.max_per_hour is not None:
            self._starts_s.append(pts_s)

    def ended(self, subjects: Collection[AlarmSubject], pts_s: float) -> None:
        """Begin the cool-downs of an alarm that ends."""
        self._ended_s = pts_s
        if not self.rule.subject_cool_down_s:
            return
        self._cool_until_s = {one: at for one, at in self._cool_until_s.items() if at > pts_s}
        for one in subjects:
            self._cool_until_s.pop(one, None)
            self._cool_until_s[one] = pts_s + self.rule.subject_cool_down_s
        while len(self._cool_until_s) > _MAX_SUBJECTS:
            del self._cool_until_s[next(iter(self._cool_until_s))]
