"""The clip stage for person crops: cut clips on a regular time grid, one buffer per track."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pipeline.stages.clip_sampling import ClipSpec, ClipWindow, crop_person
from pipeline.types import (
    Clip,
    ClippedFrame,
    Frame,
    StreamEnd,
    Subject,
    TrackedFrame,
    TrackedPerson,
)


def cut_clips(
    items: Iterable[TrackedFrame | StreamEnd],
    spec: ClipSpec,
    now: Callable[[], float],
    *,
    stride_s: float,
) -> Generator[ClippedFrame | StreamEnd, None, None]:
    """Add to every tracked frame the clips that are due at it.

    Args:
        items: frames of any number of cameras, each camera's in order.
        spec: time grid and crop of a clip.
        now: Unix seconds.
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
        yield ClippedFrame(item, tuple(clips), now())


def drop_pixels(
    items: Iterable[ClippedFrame | StreamEnd],
) -> Generator[ClippedFrame | StreamEnd, None, None]:
    """Replace every frame's image by one of the same shape that occupies no memory.

    For runs without annotated video, so that frames waiting for the recognizer stay small.
    """
    for item in items:
        if isinstance(item, StreamEnd):
            yield item
        else:
            tracked = replace(item.tracked, frame=item.tracked.frame.without_pixels())
            yield replace(item, tracked=tracked)


class TrackBuffer:
    """The newest crops of one track, bounded by what one clip needs.

    Args:
        spec: time grid and crop of a clip.
        stride_s: seconds between the ends of two clips.
    """

    def __init__(self, spec: ClipSpec, stride_s: float) -> None:
        self._spec = spec
        self._window = ClipWindow[NDArray[np.uint8]](spec, stride_s)  # uint8 (S, S, 3) each

    def __len__(self) -> int:
        return len(self._window)

    def add(self, frame: Frame, person: TrackedPerson) -> Clip | None:
        """Store this frame's crop of the person.

        Returns:
            The clip that ends at this frame, or None if it is not due or not complete.
        """
        spec = self._spec
        if not self._window.wants(frame.pts_s):
            return None
        crop = crop_person(frame.image, person.xyxy, size=spec.crop_size, margin=spec.crop_margin)
        self._window.add(frame.pts_s, crop)
        crops = self._window.cut()
        if crops is None:
            return None
        return Clip(
            camera_id=frame.camera_id,
            subject=Subject.person(person.track_id),
            crops=np.stack(crops),
            start_pts_s=frame.pts_s - spec.span_s,
            end_pts_s=frame.pts_s,
            xyxy=person.xyxy,
        )
