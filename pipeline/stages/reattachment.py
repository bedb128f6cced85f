"""The reattachment stage: a new track that continues a lost one is the same person.

Trackers lose people behind pillars and behind each other, and give them a new id when they are
seen again. Everything downstream knows a person by `TrackedPerson.track_id`, which stays.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field, replace

from pipeline.stages.continuation import Awaited, Likeness, find_continuations
from pipeline.stages.last_seen import LastSeen
from pipeline.types import StreamEnd, TrackedFrame, TrackedPerson

_LATE_IDS = 1000  # a tracker reports an id at most so many ids after it counted it
_KEPT_IDS = 64  # of a person: the first and the newest, so that no event becomes too long


@dataclass(frozen=True, slots=True)
class ReattachSpec:
    """For how long a lost person is waited for, and what must be alike."""

    reattach_s: float = 2.0  # of media time since they were seen last; 0: never
    likeness: Likeness = field(default_factory=Likeness)


def reattach_tracks(
    items: Iterable[TrackedFrame | StreamEnd], spec: ReattachSpec
) -> Generator[TrackedFrame | StreamEnd, None, None]:
    """Give a person who was lost and is found under a new track id the id that they had.

    A person's `track_id` is the first of their `track_ids` from here on. `ended` has those
    persons who are not waited for any more. Features go no further.

    A new track goes to a lost person only if place, size and appearance fit, and if no other
    track fits that person, and no other person that track, nearly as well: two events for one
    action are better than one event for two people.

    Args:
        items: frames of any number of cameras, each camera's in order.
        spec: how long to wait, and what must be alike.

    Yields:
        One item per item, in order.
    """
    cameras = defaultdict[str, CameraPeople](lambda: CameraPeople(spec))
    for item in items:
        if isinstance(item, StreamEnd):
            if item.camera_id in cameras:
                cameras[item.camera_id].clear()
            yield item
        elif spec.reattach_s == 0:
            yield replace(item, people=tuple(replace(one, feature=None) for one in item.people))
        else:
            camera = cameras[item.frame.camera_id]
            yield camera.update(item)


class CameraPeople:
    """The people of one camera: those who are seen, and those who are waited for."""

    def __init__(self, spec: ReattachSpec) -> None:
        self._spec = spec
        self._people: dict[int, _Person] = {}  # by the newest id that the tracker gave them
        self._ids = UnusedIds()

    def __len__(self) -> int:
        return len(self._people)

    def clear(self) -> None:
        """Forget the people, but not which ids they had."""
        self._people.clear()

    def update(self, item: TrackedFrame) -> TrackedFrame:
        """Return the frame with persons in place of tracks."""
        pts_s = item.frame.pts_s
        new = [one for one in item.people if one.track_id not in self._people]
        if new:
            self._receive(new, item)
        for track_id in item.ended:
            if track_id in self._people:
                self._people[track_id].has_ended = True
        people = []
        for one in item.people:
            person = self._people[one.track_id]
            person.see(pts_s, one)
            track_ids = person.track_ids if len(person.track_ids) > 1 else ()
            people.append(
                replace(one, track_id=person.track_ids[0], track_ids=track_ids, feature=None)
            )
        people.sort(key=lambda one: one.track_id)
        return replace(item, people=tuple(people), ended=self._pop_ended(pts_s))

    def _receive(self, new: Sequence[TrackedPerson], item: TrackedFrame) -> None:
        """Add the people of new tracks: persons who were lost, or new ones."""
        seen, pts_s = {one.track_id for one in item.people}, item.frame.pts_s
        lost = {
            track_id: person
            for track_id, person in self._people.items()
            if track_id not in seen and self._is_awaited(person, pts_s)
        }
        lost_of_new: dict[int, int] = {}
        if lost:
            awaited = [Awaited(one.last, one.rival_cost) for one in lost.values()]
            found = find_continuations(awaited, new, item, self._spec.likeness)
            lost_of_new = found.lost_of_new
            for person, cost in zip(lost.values(), found.lowest_costs, strict=True):
                person.rival_cost = min(person.rival_cost, cost)
        lost_ids = list(lost)
        for number, one in enumerate(new):
            track_id = self._ids.take(one.track_id)
            if number in lost_of_new:
                person = self._people.pop(lost_ids[lost_of_new[number]])
                first, *later = person.track_ids
                person.track_ids = (first, *later[2 - _KEPT_IDS :], track_id)
            else:
                person = _Person((track_id,))
            self._people[one.track_id] = person

    def _pop_ended(self, pts_s: float) -> tuple[int, ...]:
        over = [
            track_id
            for track_id, person in self._people.items()
            if person.has_ended and not self._is_awaited(person, pts_s)
        ]
        return tuple(sorted(self._people.pop(track_id).track_ids[0] for track_id in over))

    def _is_awaited(self, person: _Person, pts_s: float) -> bool:
        return pts_s - person.last.pts_s <= self._spec.reattach_s


@dataclass(slots=True, eq=False)
class _Person:
    track_ids: tuple[int, ...]  # all that they had, newest last
    last: LastSeen = field(default_factory=LastSeen)
    has_ended: bool = False  # the tracker has given up the newest track
    rival_cost: float = math.inf  # of the best new track since they were lost that was not theirs

    def see(self, pts_s: float, one: TrackedPerson) -> None:
        self.last.add(pts_s, one)
        self.has_ended, self.rival_cost = False, math.inf


class UnusedIds:
    """Ids that are unique in a run: a tracker's own where they are unused.

    A tracker may find a track again whose id went on to another track of the same person. Both
    are two people then, and the one who was found again needs another id.
    """

    def __init__(self) -> None:
        self._highest = 0
        self._used: set[int] = set()  # of the newest _LATE_IDS

    def take(self, wanted: int) -> int:
        """Return `wanted` if no one had it, else the next id after all that are used."""
        oldest = self._highest - _LATE_IDS
        if wanted in self._used or wanted <= oldest:
            wanted = self._highest + 1
        self._highest = max(self._highest, wanted)
        self._used.add(wanted)
        if len(self._used) > 2 * _LATE_IDS:
            self._used = {one for one in self._used if one > self._highest - _LATE_IDS}
        return wanted
