"""The group stage: who stands with whom, the ids of groups, and the window that a group shares.

Training and the live pipeline share this module.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Generator, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.boxes import FloatArray, body_distances
from pipeline.types import StreamEnd, TrackedFrame, TrackedGroup

_ROUNDING_S = 1e-6  # seconds; pts_s are floats


@dataclass(frozen=True, slots=True)
class GroupSpec:
    """When people are a group, and how many groups a camera has.

    Raises:
        ValueError: naming the field, if a value cannot work.
    """

    together_s: float = 0.4  # people who are this long together become a group
    apart_s: float = 1.5  # people who are this long apart, or missing, are no longer one
    reach: float = 1.0  # body lengths between two people who are together
    max_groups: int = 4  # per camera; the oldest ones stay
    max_members: int = 6  # of one group; those who came first stay

    def __post_init__(self) -> None:
        for name in ("together_s", "apart_s", "reach"):
            if not (np.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise ValueError(f"{name} must be 0 or more, got {getattr(self, name)}")
        if self.max_groups < 1 or self.max_members < 2:
            raise ValueError(
                "max_groups must be 1 or more and max_members 2 or more, "
                f"got {self.max_groups} and {self.max_members}"
            )


def group_people(
    items: Iterable[TrackedFrame | StreamEnd], spec: GroupSpec
) -> Generator[TrackedFrame | StreamEnd, None, None]:
    """Add to every tracked frame the groups of its people, and the groups that ended at it.

    After a `StreamEnd` a camera has no groups; the ids of later ones continue after the last used.

    Args:
        items: frames of any number of cameras, each camera's in order.
        spec: when people are a group.

    Yields:
        One item per item, in order.
    """
    cameras = defaultdict[str, GroupTracker](lambda: GroupTracker(spec))
    for item in items:
        if isinstance(item, StreamEnd):
            if item.camera_id in cameras:
                cameras[item.camera_id].clear()
            yield item
            continue
        camera = cameras[item.frame.camera_id]
        boxes = {person.track_id: person.xyxy for person in item.people}
        groups, ended = camera.update(item.frame.pts_s, boxes, item.ended)
        yield replace(item, groups=groups, ended_groups=ended)


def together(xyxy: FloatArray, reach: float) -> NDArray[np.bool_]:
    """Return which of the people of one frame are together.

    Two are if their boxes overlap or they are within `reach` of each other; see `body_distances`.

    Args:
        xyxy: float32 (N, 4) pixels.
        reach: body lengths.

    Returns:
        bool (N, N), symmetric, False on the diagonal.
    """
    result = body_distances(xyxy) <= reach
    np.fill_diagonal(result, val=False)
    return np.asarray(result, np.bool_)


def hull(xyxy: FloatArray) -> FloatArray:
    """Return the smallest box around boxes, float32 (4,).

    Args:
        xyxy: float32 (N, 4), N >= 1.
    """
    return np.concatenate([xyxy[:, :2].min(axis=0), xyxy[:, 2:].max(axis=0)]).astype(np.float32)


def group_window(xyxy: FloatArray, margin: float) -> FloatArray:
    """Return the square that a group's clip shows in all its frames.

    It is centred on the hull of the boxes; its side is the hull's longer side plus `margin` of it
    on each side, as `crop_person` cuts one person. `crop_person(image, window, margin=0)` cuts it.
    The corners are whole pixels, so that the window stands still to the pixel in every frame.

    Args:
        xyxy: float32 (N, 4) boxes of all members in all frames of the clip, pixels, N >= 1.
        margin: fraction of the longer side.

    Returns:
        float32 (4,) pixels; it may reach beyond the image.
    """
    x1, y1, x2, y2 = (float(v) for v in hull(xyxy))
    half = max(x2 - x1, y2 - y1) * (0.5 + margin)
    side = max(2, round(2 * half))
    left, top = round((x1 + x2) / 2 - half), round((y1 + y2) / 2 - half)
    return np.array([left, top, left + side, top + side], np.float32)


@dataclass(slots=True)
class _Tie:
    """Two people who are, or may soon be, in one group."""

    since_s: float  # together since then
    last_s: float  # newest time at which both were seen together
    formed_s: float | None = None  # since when they are in one group


class GroupTracker:
    """The groups of one camera over time.

    Time is measured in seconds, so dropped frames change nothing. An id lives with its members: it
    survives people who join or leave; when a group splits, the larger part keeps it (of equal
    parts, that with the lowest track id); when groups merge, the oldest id survives.

    Args:
        spec: when people are a group.
    """

    def __init__(self, spec: GroupSpec) -> None:
        self._spec = spec
        self._ties: dict[tuple[int, int], _Tie] = {}  # by track ids, the lower one first
        self._boxes: dict[int, FloatArray] = {}  # newest box of those who have a tie
        self._groups: dict[int, frozenset[int]] = {}  # members by group id
        self._newest_id = 0

    def update(
        self, pts_s: float, boxes: Mapping[int, FloatArray], ended: Collection[int]
    ) -> tuple[tuple[TrackedGroup, ...], tuple[int, ...]]:
        """Process the next frame; call it for frames without people too.

        Args:
            pts_s: presentation time, seconds; larger than any before.
            boxes: float32 (4,) pixels, by track id, of the people seen in this frame.
            ended: track ids that never return.

        Returns:
            The groups, sorted by id, and the ids of groups that ended, which never return. A
            member who is missing in this frame counts with the newest known box.
        """
        self._update_ties(pts_s, boxes, ended)
        tied = {track_id for pair in self._ties for track_id in pair}
        self._boxes = {one: box for one, box in (self._boxes | dict(boxes)).items() if one in tied}
        before = self._groups
        self._groups = self._named(self._parts())
        groups = tuple(
            TrackedGroup(
                group_id,
                tuple(sorted(members)),
                hull(np.stack([self._boxes[one] for one in sorted(members)])),
            )
            for group_id, members in sorted(self._groups.items())
        )
        return groups, tuple(sorted(before.keys() - self._groups.keys()))

    def clear(self) -> None:
        """Forget the people; the ids of later groups continue after the last used."""
        self._ties.clear()
        self._boxes.clear()
        self._groups.clear()

    def _update_ties(
        self, pts_s: float, boxes: Mapping[int, FloatArray], ended: Collection[int]
    ) -> None:
        spec, ids = self._spec, sorted(boxes)
        near: set[tuple[int, int]] = set()
        if len(ids) > 1:
            rows, columns = np.nonzero(together(np.stack([boxes[one] for one in ids]), spec.reach))
            near = {(ids[a], ids[b]) for a, b in zip(rows, columns, strict=True) if a < b}
        for pair in sorted(near):
            tie = self._ties.get(pair)
            if tie is None or (tie.formed_s is None and pts_s - tie.last_s > spec.apart_s):
                tie = self._ties[pair] = _Tie(pts_s, pts_s)
            tie.last_s = pts_s
            if tie.formed_s is None and pts_s - tie.since_s >= spec.together_s - _ROUNDING_S:
                tie.formed_s = pts_s
        for pair in self._ties.keys() - near:
            tie = self._ties[pair]
            seen_apart = tie.formed_s is None and boxes.keys() >= set(pair)
            too_long = pts_s - tie.last_s >= spec.apart_s - _ROUNDING_S
            if seen_apart or too_long or not set(pair).isdisjoint(ended):
                del self._ties[pair]

    def _parts(self) -> list[frozenset[int]]:
        """Return the people who are in one group, the longest ties first.

        A tie that would make a group larger than `max_members` waits: those who came first stay.
        """
        formed = sorted(
            (tie.formed_s, pair) for pair, tie in self._ties.items() if tie.formed_s is not None
        )
        part_of: dict[int, frozenset[int]] = {}
        for _, (a, b) in formed:
            part = part_of.get(a, frozenset([a])) | part_of.get(b, frozenset([b]))
            if len(part) <= self._spec.max_members:
                part_of.update(dict.fromkeys(part, part))
        return sorted(set(part_of.values()), key=min)

    def _named(self, parts: list[frozenset[int]]) -> dict[int, frozenset[int]]:
        """Return the parts by group id; new ones get an id while there is room."""
        named: dict[int, frozenset[int]] = {}
        for group_id, members in sorted(self._groups.items()):
            kin = [part for part in parts if part & members]
            heir = max(kin, key=lambda part: (len(part & members), -min(part)), default=None)
            if heir is not None and heir not in named.values():
                named[group_id] = heir
        for part in parts:
            if part not in named.values() and len(named) < self._spec.max_groups:
                self._newest_id += 1
                named[self._newest_id] = part
        return named
