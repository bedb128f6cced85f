"""What is known of one camera at one frame: its people, their actions, and who is near to whom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from models.boxes import FloatArray, body_distances
from pipeline.events import ActionEvent
from pipeline.rules.ground_plane import GroundPlane
from pipeline.types import DecidedFrame, LineCrossing, TrackedPerson, ZoneState

PRESENT_S = 1.0  # a person whom the detector misses for longer is not counted as present
# A person moves when the centre of the box leaves a circle of this radius, in body lengths, or its
# longer side changes by this factor. A detector's boxes of a still person move by a few percent.
_STILL_RADIUS, _STILL_RATIO = 0.15, 1.25
_MAX_GONE = 1000  # people whose current id differed and is remembered; the newest ones


@dataclass(slots=True)
class SeenPerson:
    """A tracked person, with the newest known box."""

    track_id: int  # the stable one
    shown_id: int  # the current one, which events have
    xyxy: FloatArray  # float32 (4,) pixels
    since_s: float  # media time of the first frame
    seen_s: float  # of the newest frame in which the person was detected
    still_since_s: float
    anchor: FloatArray = field(default_factory=lambda: np.zeros(4, np.float32))  # box at that time

    def see(self, person: TrackedPerson, pts_s: float) -> None:
        """Take the newest detection into account."""
        self.shown_id = person.track_ids[-1] if person.track_ids else person.track_id
        self.xyxy, self.seen_s = person.xyxy, pts_s
        if _has_moved(self.anchor.tolist(), person.xyxy.tolist()):
            self.anchor, self.still_since_s = person.xyxy, pts_s


@dataclass(slots=True)
class OpenAction:
    """An action of one person or group that is ongoing, or ended at this frame."""

    instance_id: str
    action: str
    people: tuple[int, ...]  # stable ids: the person, or the members of the group
    group_id: int | None
    peak_score: float
    start_pts_s: float
    end_pts_s: float  # up to which it is known to last
    is_new: bool = True  # it became known at this frame
    has_ended: bool = False


@dataclass(slots=True)
class CameraScene:
    """The people and actions of one camera; `update` it with every frame, in order."""

    pts_s: float = 0.0
    unix_s: float | None = None  # when the camera saw the frame; None: not known
    people: dict[int, SeenPerson] = field(default_factory=dict)  # by stable id, until they end
    appeared: tuple[int, ...] = ()  # at this frame, stable ids
    vanished: dict[int, SeenPerson] = field(default_factory=dict)  # whose tracks ended at it
    actions: dict[str, OpenAction] = field(default_factory=dict)  # by instance id
    zones: Mapping[str, ZoneState] = field(default_factory=dict)
    present: list[int] = field(default_factory=list)  # stable ids, in the image now
    crossings: tuple[LineCrossing, ...] = ()
    frame_wh: tuple[int, int] = (0, 0)
    _inside: dict[str, frozenset[int]] = field(default_factory=dict)  # by zone
    _pairs: dict[tuple[str, float], list[tuple[int, int]]] = field(default_factory=dict)
    _near: dict[float, dict[int, frozenset[int]]] = field(default_factory=dict)
    _order: list[int] = field(default_factory=list)
    _distances: np.ndarray | None = None  # float64 (N, N), in the order of `_order`
    _stable: dict[int, int] = field(default_factory=dict)  # stable id by current id
    _gone: dict[int, int] = field(default_factory=dict)  # last current id by stable id

    def update(self, item: DecidedFrame, unix_s: float | None) -> None:
        """Process the next frame, with its zones, crossings and events of actions.

        Args:
            item: the frame.
            unix_s: when the camera saw it; None: not known.
        """
        frame = item.tracked.frame
        self.pts_s, self.unix_s, self.frame_wh = frame.pts_s, unix_s, frame.wh
        self.zones = {state.zone: state for state in item.zones}
        self._inside = {state.zone: frozenset(state.inside) for state in item.zones}
        self.crossings = item.crossings
        self._near.clear()
        self._pairs.clear()
        self._order, self._distances = [], None
        self._see(item.tracked.people)
        oldest_s = self.pts_s - PRESENT_S
        self.present = [one for one, person in self.people.items() if person.seen_s >= oldest_s]
        self._follow(event for event in item.events if isinstance(event, ActionEvent))
        self.vanished = {one: self.people[one] for one in item.tracked.ended if one in self.people}
        for one, person in self.vanished.items():
            del self.people[one]
            self.present = [other for other in self.present if other != one]
            self._stable.pop(person.shown_id, None)
            if person.shown_id != one:  # an alarm that outlasts them says it still
                self._gone[one] = person.shown_id
        while len(self._gone) > _MAX_GONE:
            del self._gone[next(iter(self._gone))]

    def clear(self) -> None:
        """Forget everything: the camera's stream ended."""
        self.people.clear()
        self.vanished.clear()
        self.actions.clear()
        self._stable.clear()
        self._gone.clear()
        self.appeared, self.zones, self.crossings = (), {}, ()
        self.present, self._inside = [], {}

    def is_inside(self, track_id: int, zone: str) -> bool:
        """Return whether a person is in a zone; False if the camera has no such zone."""
        return track_id in self._inside.get(zone, ())

    def known(self, track_id: int) -> SeenPerson | None:
        """Return a person who is tracked, or whose track ended at this frame."""
        return self.people.get(track_id) or self.vanished.get(track_id)

    def shown_id(self, track_id: int) -> int:
        """Return the current id of a person, or the last one of a person who is gone."""
        person = self.known(track_id)
        return self._gone.get(track_id, track_id) if person is None else person.shown_id

    def near(self, reach: float) -> Mapping[int, frozenset[int]]:
        """Return who is within `reach` body lengths of each tracked person, stable ids."""
        if reach not in self._near:
            rows = (self._pairwise() <= reach) if self.people else np.zeros((0, 0), np.bool_)
            ids = np.array(self._order, np.int64)
            self._near[reach] = {
                one: frozenset(ids[row].tolist())
                for one, row in zip(self._order, rows, strict=True)
            }
        return self._near[reach]

    def pairs_within(self, reach: float) -> list[tuple[int, int]]:
        """Return the pairs of present people who are within `reach` body lengths, sorted."""
        key = "bodies", reach
        if key not in self._pairs:
            present, near = set(self.present), self.near(reach)
            self._pairs[key] = sorted(
                (a, b) for a in present for b in near[a] if a < b and b in present
            )
        return self._pairs[key]

    def pairs_within_metres(self, reach_m: float, plane: GroundPlane) -> list[tuple[int, int]]:
        """Return the pairs of present people whose feet are closer than that, sorted.

        Args:
            reach_m: metres.
            plane: of the camera, the same in every call.
        """
        key = "metres", reach_m
        if key not in self._pairs:
            ids, found = sorted(self.present), list[tuple[int, int]]()
            if len(ids) > 1:
                boxes = np.stack([self.people[one].xyxy for one in ids])
                close = plane.distances_m(boxes, self.frame_wh) < reach_m  # False where NaN
                rows, columns = np.nonzero(np.triu(close, 1))
                found = [(ids[a], ids[b]) for a, b in zip(rows, columns, strict=True)]
            self._pairs[key] = found
        return self._pairs[key]

    def _pairwise(self) -> np.ndarray:
        if self._distances is None:
            self._order = list(self.people)
            boxes = np.stack([person.xyxy for person in self.people.values()])
            self._distances = body_distances(boxes)
        return self._distances

    def _see(self, people: Iterable[TrackedPerson]) -> None:
        appeared = []
        for person in people:
            seen = self.people.get(person.track_id)
            if seen is None:
                seen = SeenPerson(
                    person.track_id,
                    person.track_id,
                    person.xyxy,
                    self.pts_s,
                    self.pts_s,
                    self.pts_s,
                )
                seen.anchor = person.xyxy
                self.people[person.track_id] = seen
                appeared.append(person.track_id)
            self._stable.pop(seen.shown_id, None)
            seen.see(person, self.pts_s)
            self._stable[seen.shown_id] = person.track_id
        self.appeared = tuple(appeared)

    def _follow(self, events: Iterable[ActionEvent]) -> None:
        """Open, update and close actions; one that ends is kept for this frame."""
        self.actions = {key: one for key, one in self.actions.items() if not one.has_ended}
        for action in self.actions.values():
            action.is_new = False
        for event in events:
            people = self._people_of(event)
            if event.instance_id not in self.actions:
                self.actions[event.instance_id] = OpenAction(
                    event.instance_id,
                    event.action,
                    people,
                    event.group_id,
                    event.peak_score,
                    event.start_pts_s,
                    event.end_pts_s,
                )
            action = self.actions[event.instance_id]
            action.people, action.peak_score = people, event.peak_score
            action.end_pts_s = event.end_pts_s
            action.has_ended = event.kind == "end"

    def _people_of(self, event: ActionEvent) -> tuple[int, ...]:
        if event.track_id is None:
            return tuple(self._stable.get(one, one) for one in event.members)
        if event.track_ids:
            return event.track_ids[:1]  # the first one that the person had is the stable one
        return (self._stable.get(event.track_id, event.track_id),)


def _has_moved(anchor: list[float], box: list[float]) -> bool:
    length, before = (max(x2 - x1, y2 - y1) for x1, y1, x2, y2 in (box, anchor))
    dx = (box[0] + box[2] - anchor[0] - anchor[2]) / 2
    dy = (box[1] + box[3] - anchor[1] - anchor[3]) / 2
    ratio = length / before if before > 0 else np.inf
    return dx * dx + dy * dy > (_STILL_RADIUS * before) ** 2 or not (
        1 / _STILL_RATIO <= ratio <= _STILL_RATIO
    )
