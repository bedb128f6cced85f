"""The clip stage for groups: one fixed square window for all members, cut from stored regions."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from models.boxes import FloatArray
from pipeline.stages.clip_sampling import ClipSpec, ClipWindow, crop_person
from pipeline.stages.clips import cut_clips
from pipeline.stages.groups import GroupSpec, group_people, group_window
from pipeline.types import Clip, ClippedFrame, Frame, StreamEnd, TrackedFrame, TrackedGroup

# Side of the region that is stored of a frame, in sides of the window that the group has in it: a
# clip's window holds the members where they were and where they went.
REGION = 1.6


@dataclass(frozen=True, slots=True)
class GroupClipSpec:
    """Who is a group, and what its clips have beside the time grid and the size of a person's."""

    groups: GroupSpec
    margin: float  # fraction of the longer side of the group's hull, added on each side
    stride_s: float  # seconds between the ends of two consecutive clips of one group


def cut_subjects(
    items: Iterable[TrackedFrame | StreamEnd],
    spec: ClipSpec,
    group_spec: GroupClipSpec | None,
    now: Callable[[], float],
    *,
    stride_s: float,
) -> Generator[ClippedFrame | StreamEnd, None, None]:
    """Add to every tracked frame the clips of persons, and of groups where they are judged.

    Args:
        items: frames of any number of cameras, each camera's in order.
        spec: time grid and crop of a clip.
        group_spec: None: no groups, at no cost.
        now: Unix seconds.
        stride_s: seconds between the ends of two consecutive clips of one person.

    Returns:
        A generator of one item per item, in order.
    """
    if group_spec is None:
        return cut_clips(items, spec, now, stride_s=stride_s)
    grouped = group_people(items, group_spec.groups)
    clipped = cut_clips(grouped, spec, now, stride_s=stride_s)
    return add_group_clips(clipped, spec, group_spec, now)


def add_group_clips(
    items: Iterable[ClippedFrame | StreamEnd],
    spec: ClipSpec,
    group_spec: GroupClipSpec,
    now: Callable[[], float],
) -> Generator[ClippedFrame | StreamEnd, None, None]:
    """Add to every frame the clips of its groups that are due at it, behind those of persons.

    Args:
        items: frames of any number of cameras, each camera's in order.
        spec: time grid and crop size of a clip.
        group_spec: margin and stride of a group's clips.
        now: Unix seconds.

    Yields:
        One item per item, in order.
    """
    buffers: dict[tuple[str, int], GroupBuffer] = {}
    for item in items:
        if isinstance(item, StreamEnd):
            for key in [key for key in buffers if key[0] == item.camera_id]:
                del buffers[key]
            yield item
            continue
        tracked, camera_id = item.tracked, item.tracked.frame.camera_id
        for group_id in tracked.ended_groups:
            buffers.pop((camera_id, group_id), None)
        clips = []
        for group in tracked.groups:
            buffer = buffers.setdefault((camera_id, group.group_id), GroupBuffer(spec, group_spec))
            clip = buffer.add(tracked, group)
            if clip is not None:
                clips.append(clip)
        yield replace(item, clips=(*item.clips, *clips), clipped_at=now()) if clips else item


@dataclass(frozen=True, slots=True, eq=False)
class _Region:
    """What is kept of one frame: the surroundings of the group, in whole steps of `factor`."""

    image: NDArray[np.uint8]  # (H, W, 3) BGR; a pixel is the mean of factor x factor of the frame
    left: int  # of the region in the frame, in pixels of `image`
    top: int
    factor: int
    xyxy: Mapping[int, FloatArray]  # float32 (4,) pixels of the frame, of the members seen in it

    def square_of(self, window: FloatArray) -> FloatArray:
        """Return a window of the frame in whole pixels of `image`; float32 (4,).

        Rounded before the shift, so that regions of one factor show the very same window.
        """
        x, y, x2, _ = (math.floor(v / self.factor + 0.5) for v in window.tolist())
        left, top, side = x - self.left, y - self.top, max(2, x2 - x)
        return np.array([left, top, left + side, top + side], np.float32)

    def shows(self, square: FloatArray) -> bool:
        """Return whether any of a square of `image` pixels was stored."""
        height, width = self.image.shape[:2]
        x1, y1, x2, y2 = square.tolist()
        return bool(x1 < width and y1 < height and x2 > 0 and y2 > 0)


class GroupBuffer:
    """The newest frames around one group, bounded by what one clip needs.

    A window that is fixed over the clip is known only when the clip ends. So a larger region is
    stored of every frame, shrunk by a whole number if the window's side is twice `crop_size` or
    more: at most about 3.2 `crop_size` squared. What a window shows beyond it is its border.

    Args:
        spec: time grid and crop size.
        group_spec: margin and stride.
    """

    def __init__(self, spec: ClipSpec, group_spec: GroupClipSpec) -> None:
        self._spec = spec
        self._group_spec = group_spec
        self._window = ClipWindow[_Region](spec, group_spec.stride_s)
        self._wh: tuple[int, int] | None = None

    def __len__(self) -> int:
        return len(self._window)

    def add(self, tracked: TrackedFrame, group: TrackedGroup) -> Clip | None:
        """Store this frame's surroundings of the group.

        Returns:
            The clip that ends at this frame, or None if it is not due, not complete, or all who
            were in the group when it began have left. Its window holds the boxes of the present
            members in all its frames since they joined.
        """
        frame = tracked.frame
        if frame.wh != self._wh:  # the resolution changed: no clip may mix two
            self._window.clear()
            self._wh = frame.wh
        if not self._window.wants(frame.pts_s):
            return None
        seen = {one.track_id: one.xyxy for one in tracked.people if one.track_id in group.members}
        self._window.add(frame.pts_s, self._region(frame, group.xyxy, seen))
        regions = self._window.cut()
        crops = None if regions is None else self._crops(regions, group)
        if crops is None:
            return None
        return Clip(
            camera_id=frame.camera_id,
            subject=group.subject,
            crops=crops,
            start_pts_s=frame.pts_s - self._spec.span_s,
            end_pts_s=frame.pts_s,
            xyxy=group.xyxy,
        )

    def _region(self, frame: Frame, xyxy: FloatArray, seen: Mapping[int, FloatArray]) -> _Region:
        window = group_window(xyxy[None], self._group_spec.margin).tolist()
        side = window[2] - window[0]
        factor = max(1, int(side // self._spec.crop_size))
        more = side * (REGION - 1) / 2
        (left, right), (top, bottom) = (
            _steps(low - more, high + more, factor, limit)
            for low, high, limit in zip(window[:2], window[2:], frame.wh, strict=True)
        )
        image = frame.image[top * factor : bottom * factor, left * factor : right * factor]
        if factor == 1:
            return _Region(image.copy(), left, top, factor, seen)
        wh = right - left, bottom - top
        small = cv2.resize(image, wh, interpolation=cv2.INTER_AREA)
        return _Region(np.asarray(small, np.uint8), left, top, factor, seen)

    def _crops(self, regions: Sequence[_Region], group: TrackedGroup) -> NDArray[np.uint8] | None:
        boxes = [
            box
            for region in regions
            for track_id, box in region.xyxy.items()
            if track_id in group.members
        ]
        window = group_window(np.stack([*boxes, group.xyxy]), self._group_spec.margin)
        squares = [region.square_of(window) for region in regions]
        if not all(map(_Region.shows, regions, squares)):
            return None
        size = self._spec.crop_size
        crops = (
            crop_person(region.image, square, size=size, margin=0.0)
            for region, square in zip(regions, squares, strict=True)
        )
        return np.stack(list(crops))


def _steps(low: float, high: float, factor: int, limit: int) -> tuple[int, int]:
    """Return the first step and the one behind the last of a span of pixels, inside the frame."""
    steps = max(1, limit // factor)
    first = min(max(0, math.floor(low / factor)), steps - 1)
    return first, max(first + 1, min(steps, math.ceil(high / factor)))
