"""Which people are in which zone of a camera's image, without flicker at the border."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from models.boxes import FloatArray
from pipeline.rules.anchors import Anchor, Points, of_each_anchor, stack_boxes
from pipeline.rules.person_table import PersonTable
from pipeline.types import ZoneState


@dataclass(frozen=True, slots=True, eq=False)
class Zone:
    """A polygon of a camera's image that people can be in.

    It is in fractions of the image, so that a change of the camera's resolution keeps it. A person
    exactly on its border is inside: the feet of people whom the edge of the image cuts off are
    on the edge of a zone that reaches to it.
    """

    name: str
    points: Points  # float64 (N, 2), N >= 3: x, y in [0, 1] of width and height
    anchor: Anchor = "foot"  # the point of a person's box that counts
    inertia_s: float = 0.5  # media time for which it must be inside, or outside, to be believed

    def is_same_as(self, other: Zone) -> bool:
        """Return whether both are equal in everything."""
        mine = self.name, self.anchor, self.inertia_s
        theirs = other.name, other.anchor, other.inertia_s
        return mine == theirs and np.array_equal(self.points, other.points)


class ZoneTracker:
    """Tells who is in each zone of one camera, from its frames in order.

    A person is in a zone once the anchor has been inside for `inertia_s`, and out once it has been
    outside for as long. A person who is not detected for a while keeps the state until the track
    ends, and then leaves every zone.

    Args:
        zones: of the camera, each with another name.
    """

    def __init__(self, zones: Sequence[Zone]) -> None:
        self.zones = tuple(zones)
        count = (len(self.zones),)
        self._anchors = [zone.anchor for zone in self.zones]
        self._inertia_s = np.array([zone.inertia_s for zone in self.zones])
        self._polygons = np.array([shapely.Polygon(zone.points) for zone in self.zones], object)
        shapely.prepare(self._polygons)  # an index of its edges: four times as fast afterwards
        blank = np.zeros(1, [("inside", np.bool_, count), ("since", np.float64, count)])
        blank["since"] = np.nan  # since when the opposite is seen; NaN: as `inside` states
        self._people = PersonTable(blank)
        self._members: list[tuple[int, ...]] = [() for _ in self.zones]

    def update(
        self,
        pts_s: float,
        boxes: Mapping[int, FloatArray],
        frame_wh: tuple[int, int],
        ended: Collection[int] = (),
    ) -> tuple[ZoneState, ...]:
        """Process one frame.

        Args:
            pts_s: media time of the frame, seconds, not before that of the frame before.
            boxes: float32 (4,) xyxy in pixels, by stable id, of the people detected in it.
            frame_wh: width and height of the frame, pixels.
            ended: stable ids of people who are no longer tracked.

        Returns:
            The state of each zone, in the order of the zones.
        """
        entered: list[list[int]] = [[] for _ in self.zones]
        left: list[list[int]] = [[] for _ in self.zones]
        if self.zones and boxes:
            self._observe(pts_s, boxes, frame_wh, entered, left)
        for track_id in ended:
            self._forget(track_id, left)
        return tuple(
            self._state(number, tuple(sorted(entered[number])), tuple(sorted(left[number])))
            for number in range(len(self.zones))
        )

    def changed_to(self, zones: Sequence[Zone]) -> ZoneTracker:
        """Return a tracker of other zones that continues with those that are the same in both."""
        other = ZoneTracker(zones)
        same = [
            (number, before)
            for number, zone in enumerate(other.zones)
            for before, mine in enumerate(self.zones)
            if zone.is_same_as(mine)
        ]
        other._people.take_over(self._people, same)
        for number, before in same:
            other._members[number] = self._members[before]
        return other

    def clear(self) -> None:
        """Forget everyone without reporting it, as after the end of the camera's stream."""
        self._people.clear()
        self._members = [() for _ in self.zones]

    def _observe(
        self,
        pts_s: float,
        boxes: Mapping[int, FloatArray],
        frame_wh: tuple[int, int],
        entered: list[list[int]],
        left: list[list[int]],
    ) -> None:
        track_ids = list(boxes)
        rows = self._people.rows_of(track_ids)
        seen_inside = self._contains(of_each_anchor(stack_boxes(boxes), frame_wh, self._anchors))
        known = self._people.records
        inside = known["inside"][rows]
        differs = seen_inside != inside
        since = known["since"][rows]
        since = np.where(differs, np.where(np.isnan(since), pts_s, since), np.nan)
        changed = differs & (pts_s - since >= self._inertia_s)
        since[changed] = np.nan
        known["since"][rows] = since
        if not changed.any():
            return
        known["inside"][rows] = inside ^ changed
        for person, zone in zip(*np.nonzero(changed), strict=True):
            (left if inside[person, zone] else entered)[zone].append(track_ids[person])

    def _contains(self, points: Points) -> NDArray[np.bool_]:
        """Return (N, M) whether each of N people is in each of M zones, from (M, N, 2) points."""
        found = shapely.intersects_xy(self._polygons[:, None], points[..., 0], points[..., 1])
        return np.asarray(found, np.bool_).T

    def _forget(self, track_id: int, left: list[list[int]]) -> None:
        record = self._people.pop(track_id)
        if record is not None:
            for zone in np.flatnonzero(record["inside"]):
                left[zone].append(track_id)

    def _state(self, number: int, entered: tuple[int, ...], left: tuple[int, ...]) -> ZoneState:
        if entered or left:
            stayed = set(self._members[number]).union(entered).difference(left)
            self._members[number] = tuple(sorted(stayed))
        return ZoneState(self.zones[number].name, self._members[number], entered, left)
