"""Per-track clip buffers: from tracked frames to clips that are true in time."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pipeline.clip_sampling import ClipSpec, crop_person, sample_clip
from pipeline.types import Clip, ClippedFrame, Frame, StreamEnd, TrackedFrame, TrackedPerson

# Which frame is nearest to a grid point changes by a tenth of a step at most if of a fast camera's
# frames only this many per step are kept. 60 fps is 4 per step of 1/15 s: all of those are kept.
CROPS_PER_STEP = 5
ROUNDING_S = 1e-6  # pts_s are floats: a frame due "now" may sit a rounding error before


def cut_clips(
    items: Iterable[TrackedFrame | StreamEnd], spec: ClipSpec, *, stride_s: float
) -> Generator[ClippedFrame | StreamEnd, None, None]:
    """Add to every tracked frame the clips that are due at it.

    Args:
        items: frames of any number of cameras, each camera's in order.
        spec: time grid and crop of a clip.
        stride_s: seconds between the ends of two consecutive clips of one track.

    Yields:
        One item per item, in order.
    """
    buffers: dict[tuple[str, int], TrackBuffer] = {}
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
            buffer = buffers.setdefault(
                (frame.camera_id, person.track_id), TrackBuffer(spec, stride_s)
            )
            clip = buffer.add(frame, person)
            if clip is not None:
                clips.append(clip)
        yield ClippedFrame(item, tuple(clips))


def drop_pixels(
    items: Iterable[ClippedFrame | StreamEnd],
) -> Generator[ClippedFrame | StreamEnd, None, None]:
    """Replace every frame's image by one of the same shape that takes no memory.

    For runs in which nothing is drawn: what waits for the recognizer is then small.
    """
    for item in items:
        if isinstance(item, StreamEnd):
            yield item
        else:
            frame = item.tracked.frame
            blank = np.broadcast_to(np.uint8(0), frame.image.shape)
            tracked = replace(item.tracked, frame=replace(frame, image=blank))
            yield replace(item, tracked=tracked)


class TrackBuffer:
    """The newest crops of one track, no more than one clip needs.

    Args:
        spec: time grid and crop of a clip.
        stride_s: seconds between the ends of two clips.
    """

    def __init__(self, spec: ClipSpec, stride_s: float) -> None:
        self._spec = spec
        self._stride_s = stride_s
        self._pts_s: deque[float] = deque()
        self._crops: deque[NDArray[np.uint8]] = deque()  # uint8 (S, S, 3) each
        self._last_clip_pts_s = -np.inf

    def __len__(self) -> int:
        return len(self._crops)

    def add(self, frame: Frame, person: TrackedPerson) -> Clip | None:
        """Keep this frame's crop; return the clip that ends at it if one is due and complete."""
        spec = self._spec
        if self._pts_s:
            since_last_s = frame.pts_s - self._pts_s[-1]
            if since_last_s > spec.max_gap_s:  # no clip may span the hole, so nothing before helps
                self._pts_s.clear()
                self._crops.clear()
            elif since_last_s < spec.interval_s / CROPS_PER_STEP - ROUNDING_S:
                return None
        self._pts_s.append(frame.pts_s)
        self._crops.append(
            crop_person(frame.image, person.xyxy, size=spec.crop_size, margin=spec.crop_margin)
        )
        self._forget_before(frame.pts_s - spec.span_s - spec.interval_s)
        if frame.pts_s < self._last_clip_pts_s + self._stride_s - ROUNDING_S:
            return None
        return self._cut(frame, person)

    def _forget_before(self, pts_s: float) -> None:
        # One frame before the limit stays: it may be the nearest to the first grid point.
        while len(self._pts_s) > 1 and self._pts_s[1] <= pts_s:
            self._pts_s.popleft()
            self._crops.popleft()

    def _cut(self, frame: Frame, person: TrackedPerson) -> Clip | None:
        chosen = sample_clip(np.array(self._pts_s), self._spec)
        if chosen is None:
            return None
        self._last_clip_pts_s = frame.pts_s
        return Clip(
            camera_id=frame.camera_id,
            track_id=person.track_id,
            crops=np.stack([self._crops[index] for index in chosen]),
            start_pts_s=frame.pts_s - self._spec.span_s,
            end_pts_s=frame.pts_s,
            xyxy=person.xyxy,
        )
