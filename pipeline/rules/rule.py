"""What a rule asks for: who does what, where, when and for how long, and what follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from pipeline.events import Severity

PersonEvent = Literal["enters", "leaves", "returns", "inside", "dwells", "crosses"]
Direction = Literal["left_to_right", "right_to_left"]
Scope = Literal["person", "zone", "camera"]
# Of a person: they begin at one frame; a person who is there already does not begin them.
BEGINNINGS: frozenset[PersonEvent] = frozenset({"enters", "leaves", "returns", "crosses"})


GROUND = "ground_plane"  # among the places of a rule: it asks for metres


class OpeningHours(Protocol):
    """When a rule holds, by wall time."""

    def is_open(self, unix_s: float | None) -> bool:
        """Return whether it holds at a time, Unix seconds; None: the time is not known."""
        ...


@dataclass(frozen=True, slots=True)
class Condition:
    """What is true of the people of one camera; exactly one of the first six says what.

    Lengths and distances of people are in body lengths, see `models.boxes.body_distances`.
    """

    actions: tuple[str, ...] = ()  # any of them is ongoing
    person: PersonEvent | None = None
    more_than: int | None = None  # people
    fewer_than: int | None = None  # people
    closer_than: float | None = None  # two people, body lengths
    closer_than_m: float | None = None  # two people, metres on the ground plane
    zones: tuple[str, ...] = ()  # inside any of them; (): anywhere in the image
    outside: tuple[str, ...] = ()  # inside none of them
    line: str | None = None  # of `crosses`
    direction: Direction | None = None  # of `crosses`; None: either
    min_score: float = 0.0  # peak score of the action, in [0, 1]
    people: int = 1  # who do it, or are near to one who does
    still_for_s: float = 0.0  # without motion since the action began; 0: motion does not matter
    for_s: float = 0.0  # it holds this long, seconds of media time


@dataclass(frozen=True, slots=True)
class AlarmRule:
    """One rule, as it holds for one camera; equal rules have equal state."""

    name: str
    when: Condition
    after: Condition | None = None  # must have been true before, at most `within_s` ago
    unless: Condition | None = None  # must not have been true since then, or for `within_s`
    within_s: float = 0.0
    same: Scope = "person"  # what `after` and `unless` have in common with `when`
    schedules: tuple[tuple[str, OpeningHours], ...] = ()  # any of them is open; (): always
    severity: Severity = "warning"
    near: float = 1.0  # body lengths between people whose matches are one alarm
    end_after_s: float = 5.0  # an alarm ends when the condition has not held this long
    update_interval_s: float = 10.0  # smallest interval between two updates
    cool_down_s: float = 0.0  # after an alarm: none of the rule on this camera
    subject_cool_down_s: float = 0.0  # after an alarm: none by the same person, or of the same zone
    max_per_hour: int | None = None  # alarms that start on this camera in an hour of media time

    @property
    def places(self) -> frozenset[str]:
        """Names of the zones and lines that the rule looks at, and `GROUND`."""
        found: set[str] = set()
        for one in (self.when, self.after, self.unless):
            if one is not None:
                found.update(one.zones, one.outside)
                found.update(() if one.line is None else (one.line,))
                found.update(() if one.closer_than_m is None else (GROUND,))
        return frozenset(found)
