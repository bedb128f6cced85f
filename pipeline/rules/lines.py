"""Who crosses which line of a camera's image, in which direction, each crossing once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from models.boxes import FloatArray
from pipeline.rules.anchors import Anchor, Points, of_each_anchor, stack_boxes
from pipeline.rules.person_table import PersonTable
from pipeline.types import LineCrossing

Point = tuple[float, float]  # x, y in fractions of width and height; y grows downwards


@dataclass(frozen=True, slots=True)
class Line:
    """A line between two points of a camera's image, in fractions of it, that people cross.

    The sides are those of an observer who stands on the image at `start` and faces `end`:
    `left_to_right` is a person who passes from the observer's left hand to the right hand. For a
    line that is drawn upwards that is from left to right in the image; for one that is drawn from
    left to right it is downwards, from above the line to below it.
    """

    name: str
    start: Point
    end: Point
    anchor: Anchor = "foot"  # the point of a person's box that counts
    hysteresis: float = 0.15  # distance from the line from which a side counts, in box heights


class LineTracker:
    """Tells who crosses each line of one camera, from its frames in order.

    A person has crossed a line once the anchor has moved across it and is `hysteresis` box heights
    away on the other side; so a person who stands on the line and sways is not counted again and
    again. To go around an end of the line is not to cross it. A person whose track ends on the
    other side but nearer to the line, as behind a door, has crossed it.

    Args:
        lines: of the camera, each with another name.
    """

    def __init__(self, lines: Sequence[Line]) -> None:
        self.lines = tuple(lines)
        self._anchors = [line.anchor for line in self.lines]
        self._starts = np.array([line.start for line in self.lines]).reshape(-1, 2)
        self._ends = np.array([line.end for line in self.lines]).reshape(-1, 2)
        self._hysteresis = np.array([line.hysteresis for line in self.lines])
        count = len(self.lines)
        fields = [
            ("side", np.int8, (count,)),  # that counts: 1 right hand, -1 left hand, 0 unknown
            ("newest_side", np.int8, (count,)),  # of the newest point that is not on the line
            ("newest_point", np.float64, (count, 2)),  # that point
            ("net", np.int32, (count,)),  # passages to the right less those to the left since then
        ]
        self._people = PersonTable(np.zeros(1, fields))

    def update(
        self,
        boxes: Mapping[int, FloatArray],
        frame_wh: tuple[int, int],
        ended: Collection[int] = (),
    ) -> tuple[LineCrossing, ...]:
        """Process one frame.

        Args:
            boxes: float32 (4,) xyxy in pixels, by stable id, of the people detected in it.
            frame_wh: width and height of the frame, pixels.
            ended: stable ids of people who are no longer tracked.

        Returns:
            The crossings that are certain now, by the order of the lines, then by track id.
        """
        crossings: list[tuple[int, int, int]] = []  # line, track id, side that was reached
        if self.lines and boxes:
            crossings += self._observe(boxes, frame_wh)
        for track_id in ended:
            record = self._people.pop(track_id)
            if record is not None:
                side, net = record["newest_side"], record["net"]
                over = (side == -record["side"]) & (net * side > 0)
                crossings += [
                    (line, track_id, int(side[line])) for line in np.flatnonzero(over).tolist()
                ]
        return tuple(
            LineCrossing(
                self.lines[line].name, track_id, "left_to_right" if side > 0 else "right_to_left"
            )
            for line, track_id, side in sorted(crossings)
        )

    def changed_to(self, lines: Sequence[Line]) -> LineTracker:
        """Return a tracker of other lines that continues with those that are the same in both."""
        other = LineTracker(lines)
        same = [
            (number, self.lines.index(line))
            for number, line in enumerate(other.lines)
            if line in self.lines
        ]
        other._people.take_over(self._people, same)
        return other

    def clear(self) -> None:
        """Forget everyone, as after the end of the camera's stream."""
        self._people.clear()

    def _observe(
        self, boxes: Mapping[int, FloatArray], frame_wh: tuple[int, int]
    ) -> list[tuple[int, int, int]]:
        track_ids, xyxy = list(boxes), stack_boxes(boxes)
        points = of_each_anchor(xyxy, frame_wh, self._anchors).swapaxes(0, 1)  # (N, M, 2)
        distance = self._signed_distance_px(points, frame_wh)
        side = np.sign(distance).astype(np.int8)
        heights = (xyxy[:, 3] - xyxy[:, 1])[:, None]
        is_far = (np.abs(distance) >= self._hysteresis * heights) & (side != 0)

        rows = self._people.rows_of(track_ids)
        person = self._people.records[rows]
        for who, line in zip(*np.nonzero(side * person["newest_side"] < 0), strict=True):
            if self._passes(line, person["newest_point"][who, line], points[who, line]):
                person["net"][who, line] += side[who, line]
        beside = side != 0
        person["newest_side"] = np.where(beside, side, person["newest_side"])
        person["newest_point"] = np.where(beside[..., None], points, person["newest_point"])
        person["side"] = np.where(person["side"] == 0, side, person["side"])
        changed = is_far & (side == -person["side"])
        crossed = changed & (person["net"] * side > 0)
        person["side"] = np.where(changed, side, person["side"])
        person["net"][is_far] = 0
        self._people.records[rows] = person
        return [
            (int(line), track_ids[who], int(side[who, line]))
            for who, line in zip(*np.nonzero(crossed), strict=True)
        ]

    def _signed_distance_px(self, points: Points, frame_wh: tuple[int, int]) -> Points:
        """Return (N, M) distances from M infinite lines, positive on the right-hand side."""
        wh = np.asarray(frame_wh, np.float64)
        direction, offset = (self._ends - self._starts) * wh, (points - self._starts) * wh
        return np.asarray(_cross(direction, offset) / np.hypot(direction[:, 0], direction[:, 1]))

    def _passes(self, line: int, before: Points, after: Points) -> bool:
        """Return whether a movement from one side to the other passes between the line's ends."""
        move = after - before
        of_start = _cross(move, self._starts[line] - before)
        return bool(of_start * _cross(move, self._ends[line] - before) <= 0)


def _cross(a: Points, b: Points) -> Points:
    """Return the z component of the cross product of (..., 2) vectors."""
    return np.asarray(a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0], np.float64)
