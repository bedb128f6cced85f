"""Which people fulfil a condition at a frame, from what is known of their camera."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pipeline.rules.ground_plane import GroundPlane
from pipeline.rules.rule import Condition
from pipeline.rules.scene import CameraScene, OpenAction

MatchKey = tuple[str | int, ...]


@dataclass(slots=True)  # not frozen: many are made per frame, and that takes three times as long
class Match:
    """People who fulfil a condition at a frame, or a zone that does; never changed."""

    key: MatchKey  # the same from frame to frame
    people: tuple[int, ...]  # stable ids
    since_pts_s: float  # media time at which it began, where `begins`; else of this frame or before
    begins: bool  # it began, or became known, at this frame
    until_pts_s: float  # media time up to which it is known to last
    zone: str | None = None
    action: OpenAction | None = None
    count: int | None = None  # people in the zone, where their number is the condition
    still_s: float = 0.0  # without motion, where that is the condition
    passed: str | None = None  # the direction in which the line was crossed

    @property
    def joins(self) -> bool:
        """Whether people near by are part of it; the number of people in a zone is one match."""
        return self.count is None


@dataclass(slots=True)
class _Lying:
    """A person who did an action after which it matters whether there is motion."""

    action: OpenAction  # the newest one
    since_s: float  # media time at which the first one began
    ended_s: float | None = None  # None: the newest one is ongoing


@dataclass(slots=True)
class ConditionWatch:
    """Observes one condition on one camera; ask it once per frame, in order.

    Args:
        condition: what is asked for.
        plane: of the camera; a distance in metres needs it.
    """

    condition: Condition
    plane: GroundPlane | None = None
    # Stable ids: of those who entered or came back, with the time; of those who left a zone once.
    _arrived: dict[tuple[int, str | None], float] = field(default_factory=dict)
    _left: set[tuple[int, str | None]] = field(default_factory=set)
    _lying: dict[int, _Lying] = field(default_factory=dict)  # by stable id

    def clear(self) -> None:
        """Forget everyone."""
        self._arrived.clear()
        self._left.clear()
        self._lying.clear()

    def matches(self, scene: CameraScene) -> list[Match]:
        """Return what fulfils the condition at this frame, in a fixed order."""
        wanted = self.condition
        if wanted.actions:
            found = self._still(scene) if wanted.still_for_s else self._actions(scene)
        elif wanted.person is not None:
            found = _BY_EVENT[wanted.person](self, scene)
        elif wanted.more_than is not None or wanted.fewer_than is not None:
            found = self._counts(scene)
        else:
            found = self._pairs(scene)
        return list(found)

    # actions

    def _actions(self, scene: CameraScene) -> Iterator[Match]:
        for action in scene.actions.values():
            if action.action not in self.condition.actions:
                continue
            if action.peak_score < self.condition.min_score:
                continue
            is_here, zone = self._place(scene, action.people)
            if is_here:
                yield Match(
                    ("action", action.instance_id),
                    action.people,
                    action.start_pts_s,
                    action.is_new,
                    action.end_pts_s if action.has_ended else scene.pts_s,
                    zone,
                    action,
                )

    def _still(self, scene: CameraScene) -> Iterator[Match]:
        """Yield people who have not moved since, or soon after, such an action of theirs."""
        least_s = self.condition.still_for_s
        for action in scene.actions.values():
            if action.action in self.condition.actions and action.group_id is None:
                self._lie(action, scene.pts_s)
        for one, lying in list(self._lying.items()):
            person = scene.people.get(one)
            if person is None:
                del self._lying[one]
                continue
            still_since_s = max(person.still_since_s, lying.since_s)
            still_s = scene.pts_s - still_since_s
            is_over = lying.ended_s is not None and scene.pts_s - lying.ended_s > least_s
            if is_over and still_s < least_s:
                del self._lying[one]  # the person has moved again
                continue
            is_sure = lying.action.peak_score >= self.condition.min_score
            is_here, zone = self._place(scene, (one,))
            if still_s >= least_s and is_here and is_sure:
                yield Match(
                    ("still", one),
                    (one,),
                    still_since_s,
                    begins=True,
                    until_pts_s=scene.pts_s,
                    zone=zone,
                    action=lying.action,
                    still_s=still_s,
                )

    def _lie(self, action: OpenAction, pts_s: float) -> None:
        one = action.people[0]
        lying = self._lying.get(one)
        if lying is None:
            lying = self._lying[one] = _Lying(action, action.start_pts_s)
        lying.action = action
        lying.ended_s = pts_s if action.has_ended else None

    # presence

    def _inside(self, scene: CameraScene) -> Iterator[Match]:
        for zone, ids, entered, _ in self._zones(scene):
            new = set(entered)
            for one in ids:
                if self._is_wanted(scene, one):
                    yield self._of_person(scene, one, scene.pts_s, one in new, zone)

    def _enters(self, scene: CameraScene) -> Iterator[Match]:
        """Yield those who entered, for as long as they stay."""
        for zone, ids, entered, left in self._zones(scene):
            self._note_arrivals(zone, entered, left, scene.pts_s)
            new = set(entered)
            for one in ids:
                since_s = self._arrived.get((one, zone))
                if since_s is not None and self._is_wanted(scene, one):
                    yield self._of_person(scene, one, since_s, one in new, zone)
        if scene.vanished:
            self._arrived = {k: at for k, at in self._arrived.items() if k[0] not in scene.vanished}
            self._left = {key for key in self._left if key[0] not in scene.vanished}

    def _note_arrivals(
        self, zone: str | None, entered: Sequence[int], left: Sequence[int], pts_s: float
    ) -> None:
        returns = self.condition.person == "returns"
        for one in entered:
            if not returns or (one, zone) in self._left:
                self._arrived[one, zone] = pts_s
        for one in left:
            self._arrived.pop((one, zone), None)
            if returns:
                self._left.add((one, zone))

    def _leaves(self, scene: CameraScene) -> Iterator[Match]:
        for zone, _, _, left in self._zones(scene):
            for one in left:
                if self._is_wanted(scene, one):
                    yield self._of_person(scene, one, scene.pts_s, True, zone)

    def _crosses(self, scene: CameraScene) -> Iterator[Match]:
        wanted = self.condition
        for crossing in scene.crossings:
            if crossing.line != wanted.line:
                continue
            if wanted.direction not in (None, crossing.direction):
                continue
            one = crossing.track_id
            is_here, zone = self._place(scene, (one,))
            if is_here:
                match = self._of_person(scene, one, scene.pts_s, True, zone)
                yield replace(match, passed=crossing.direction)

    def _of_person(
        self, scene: CameraScene, one: int, since_s: float, begins: bool, zone: str | None
    ) -> Match:
        return Match(("person", one), (one,), since_s, begins, scene.pts_s, zone)

    # numbers and distances

    def _counts(self, scene: CameraScene) -> Iterator[Match]:
        wanted = self.condition
        for zone, ids, _, _ in self._zones(scene):
            people = tuple(one for one in ids if self._is_wanted(scene, one))
            too_many = wanted.more_than is not None and len(people) > wanted.more_than
            too_few = wanted.fewer_than is not None and len(people) < wanted.fewer_than
            if too_many or too_few:
                yield Match(
                    ("count", zone or ""),
                    people,
                    scene.pts_s,
                    begins=False,
                    until_pts_s=scene.pts_s,
                    zone=zone,
                    count=len(people),
                )

    def _pairs(self, scene: CameraScene) -> Iterator[Match]:
        wanted = self.condition
        if wanted.closer_than is not None:
            pairs = scene.pairs_within(wanted.closer_than)
        elif wanted.closer_than_m is not None and self.plane is not None:
            pairs = scene.pairs_within_metres(wanted.closer_than_m, self.plane)
        else:
            pairs = []
        for a, b in pairs:
            is_here, zone = self._place(scene, (a, b))
            if is_here:
                yield Match(("pair", a, b), (a, b), scene.pts_s, False, scene.pts_s, zone)

    # places

    def _zones(
        self, scene: CameraScene
    ) -> Iterator[tuple[str | None, Sequence[int], Sequence[int], Sequence[int]]]:
        """Yield name, people inside, entered and left of each zone; the image, if there is none."""
        if not self.condition.zones:
            yield None, scene.present, scene.appeared, tuple(scene.vanished)
        for name in self.condition.zones:
            state = scene.zones.get(name)
            if state is not None:
                yield name, state.inside, state.entered, state.left

    def _place(self, scene: CameraScene, people: Sequence[int]) -> tuple[bool, str | None]:
        """Return whether any of the people is where the condition asks for, and in which zone."""
        wanted, allowed = self.condition, people
        if wanted.outside:
            allowed = [one for one in people if self._is_wanted(scene, one)]
        if not wanted.zones:
            return bool(allowed) or not wanted.outside, None
        for zone in wanted.zones:
            if any(scene.is_inside(one, zone) for one in allowed):
                return True, zone
        return False, None

    def _is_wanted(self, scene: CameraScene, track_id: int) -> bool:
        outside = self.condition.outside
        return not outside or not any(scene.is_inside(track_id, zone) for zone in outside)


_BY_EVENT: Mapping[str, Callable[[ConditionWatch, CameraScene], Iterator[Match]]] = {
    "inside": ConditionWatch._inside,
    "dwells": ConditionWatch._inside,
    "enters": ConditionWatch._enters,
    "returns": ConditionWatch._enters,
    "leaves": ConditionWatch._leaves,
    "crosses": ConditionWatch._crosses,
}
