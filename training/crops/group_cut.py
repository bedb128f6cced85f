"""Cut the groups of people out of the frames of a sample, by the pipeline's own rules."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from models.boxes import FloatArray
from pipeline.stages.groups import GroupSpec, GroupTracker, group_window, hull
from pipeline.types import Frame

STRIDE_S = 0.5  # between the ends of two clips of one group, as clip.stride_s of the pipeline
MIN_SEEN = 2  # frames of a clip in which its group was seen
ROUNDING_S = 1e-6

Write = Callable[[Frame, str, FloatArray], None]  # a frame, whose clip, the window in pixels


class GroupCut:
    """Collects the clips of the groups of one sample.

    A group's window is fixed for a clip and known only at its end, so the frames of one clip are
    kept in memory. Frames before the people came together belong to the clip too: they show how
    it began.

    Args:
        span_s: seconds from the first to the last frame of a clip.
        margin: of the window, fraction of its hull's longer side on each side.
        write: called for every frame of a clip, in the order of time; the text is
            `GROUP number/clip`.
        groups: when people are a group.
    """

    def __init__(
        self, span_s: float, margin: float, write: Write, groups: GroupSpec | None = None
    ) -> None:
        self._span_s, self._margin, self._write = span_s, margin, write
        self._tracker = GroupTracker(groups or GroupSpec())
        self._numbers: dict[str, int] = {}  # of people
        self._frames: deque[Frame] = deque()  # the newest, as many as a clip needs
        self._hulls: dict[int, dict[float, FloatArray]] = {}  # by group and time
        self._ends: dict[int, list[float]] = {}  # of the clips of a group
        self._first_s: float | None = None

    def add(self, frame: Frame, people: Iterable[tuple[str, FloatArray]]) -> None:
        """Take the next frame and the people who were tracked in it."""
        boxes = {self._number(who): xyxy for who, xyxy in people}
        groups, _ = self._tracker.update(frame.pts_s, boxes, ())
        self.add_hulls(frame, {group.group_id: group.xyxy for group in groups})

    def add_hulls(self, frame: Frame, hulls: Mapping[int, FloatArray]) -> None:
        """Take the next frame and where its groups are: float32 (4,) pixels by their number."""
        self._first_s = frame.pts_s if self._first_s is None else self._first_s
        self._frames.append(frame)
        for number, xyxy in hulls.items():
            self._hulls.setdefault(number, {})[frame.pts_s] = xyxy
        oldest_s = frame.pts_s - self._span_s - ROUNDING_S
        while self._frames[0].pts_s < oldest_s:
            self._frames.popleft()
        complete = frame.pts_s - self._first_s >= self._span_s - ROUNDING_S
        for number in hulls if complete else ():
            ends = self._ends.get(number, [])
            if not ends or frame.pts_s - ends[-1] >= STRIDE_S - ROUNDING_S:
                self._cut(number)

    def finish(self) -> None:
        """Cut the groups that have no clip yet, because the sample is shorter than one."""
        for number in sorted(self._hulls.keys() - self._ends.keys()):
            self._cut(number)

    def _number(self, who: str) -> int:
        return self._numbers.setdefault(who, len(self._numbers) + 1)

    def _cut(self, number: int) -> None:
        times = {frame.pts_s for frame in self._frames}
        seen = [xyxy for pts_s, xyxy in self._hulls[number].items() if pts_s in times]
        if len(seen) < MIN_SEEN:
            return
        window = group_window(np.stack(seen), self._margin)
        ends = self._ends.setdefault(number, [])
        ends.append(self._frames[-1].pts_s)
        for frame in self._frames:
            self._write(frame, f"group {number}/{len(ends)}", window)


def hull_at(boxes: Mapping[int, list[FloatArray]], index: int) -> NDArray[np.float32] | None:
    """Return the hull of the boxes of a frame, float32 (4,) pixels; None if there is none."""
    return hull(np.stack(boxes[index])) if index in boxes else None
