"""The clip stage for skeleton recognizers: key points and boxes of a person on a time grid."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from models.boxes import FloatArray, iou_matrix
from models.skeleton.skeleton_clip import SkeletonClip
from pipeline.stages.clip_sampling import ClipSpec, ClipWindow
from pipeline.types import (
    ClippedFrame,
    Frame,
    KeyPointClip,
    StreamEnd,
    Subject,
    TrackedFrame,
    TrackedPerson,
)

# The newest box of a lost track and the first of the one that continues it overlap by so much, also
# between standing and lying. Strangers who pass each other overlap too, but both are seen then.
SAME_PLACE_IOU = 0.3


def cut_key_points(
    items: Iterable[TrackedFrame | StreamEnd],
    spec: ClipSpec,
    now: Callable[[], float],
    *,
    stride_s: float,
) -> Generator[ClippedFrame | StreamEnd, None, None]:
    """Add to every tracked frame the key point clips that are due at it, one per person.

    Args:
        items: frames of any number of cameras, each camera's in order.
        spec: time grid; it crops nothing.
        now: Unix seconds.
        stride_s: seconds between the ends of two consecutive clips of one person.

    Yields:
        One item per item, in order.
    """
    buffers: dict[tuple[str, int], KeyPointBuffer] = {}
    for item in items:
        if isinstance(item, StreamEnd):
            for key in [key for key in buffers if key[0] == item.camera_id]:
                del buffers[key]
            yield item
            continue
        frame = item.frame
        for track_id in item.ended:
            buffers.pop((frame.camera_id, track_id), None)
        clips = []
        for person in item.people:
            key = frame.camera_id, person.track_id
            if key not in buffers:
                lost = _lost_track(buffers, item, person, spec.max_gap_s)
                buffers[key] = KeyPointBuffer(spec, stride_s) if lost is None else buffers.pop(lost)
            clip = buffers[key].add(frame, person)
            if clip is not None:
                clips.append(clip)
        yield ClippedFrame(item, tuple(clips), now())


def _lost_track(
    buffers: Mapping[tuple[str, int], KeyPointBuffer],
    item: TrackedFrame,
    person: TrackedPerson,
    max_gap_s: float,
) -> tuple[str, int] | None:
    """Return the track that a new one continues: lost a moment ago, in the same place.

    A person who falls changes shape within half a second, and trackers begin a new track then:
    without what was before, no fall would ever be found.
    """
    present = {one.track_id for one in item.people}
    overlap = {
        key: float(iou_matrix(buffer.xyxy[None], person.xyxy[None])[0, 0])
        for key, buffer in buffers.items()
        if key[0] == item.frame.camera_id
        and key[1] not in present
        and item.frame.pts_s - buffer.seen_pts_s <= max_gap_s
    }
    best = max(overlap, key=lambda key: overlap[key], default=None)
    return best if best is not None and overlap[best] >= SAME_PLACE_IOU else None


@dataclass(frozen=True, slots=True, eq=False)
class _Sample:
    key_points: FloatArray  # float32 (17, 3)
    xyxy: FloatArray  # float32 (4,)


class KeyPointBuffer:
    """The newest key points of one person, bounded by what one clip needs.

    Only frames whose key points were estimated count: the time grid takes the nearest of them.

    Args:
        spec: time grid.
        stride_s: seconds between the ends of two clips.
    """

    def __init__(self, spec: ClipSpec, stride_s: float) -> None:
        self._spec = spec
        self._window = ClipWindow[_Sample](spec, stride_s)
        self.xyxy: FloatArray = np.zeros(4, np.float32)  # float32 (4,) newest box
        self.seen_pts_s = -np.inf

    def __len__(self) -> int:
        return len(self._window)

    def add(self, frame: Frame, person: TrackedPerson) -> KeyPointClip | None:
        """Store this frame's key points of the person, if they were estimated.

        Returns:
            The clip that ends at this frame, or None if it is not due or not complete.
        """
        self.xyxy, self.seen_pts_s = person.xyxy, frame.pts_s
        if person.key_points is None or not self._window.wants(frame.pts_s):
            return None
        self._window.add(frame.pts_s, _Sample(person.key_points, person.xyxy))
        samples = self._window.cut()
        if samples is None:
            return None
        skeleton = SkeletonClip(
            np.stack([one.key_points for one in samples])[None],
            np.stack([one.xyxy for one in samples])[None],
        )
        return KeyPointClip(
            camera_id=frame.camera_id,
            subject=Subject.person(person.track_id),
            skeleton=skeleton,
            start_pts_s=frame.pts_s - self._spec.span_s,
            end_pts_s=frame.pts_s,
            xyxy=person.xyxy,
        )
