"""The clip stage for scenes: full frames and boxes for a network with a RoI head."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.boxes import FloatArray
from pipeline.stages.clip_sampling import ClipSpec, ClipWindow
from pipeline.types import ClippedFrame, SceneClip, StreamEnd, TrackedFrame


def cut_scenes(
    items: Iterable[TrackedFrame | StreamEnd],
    spec: ClipSpec,
    now: Callable[[], float],
    *,
    stride_s: float,
) -> Generator[ClippedFrame | StreamEnd, None, None]:
    """Add to every tracked frame the scene clip that is due at it.

    Such a network classifies the people of the clip's middle frame (AVA's key frame), so the
    scores describe an action half a clip ago. A person who is missing in the middle frame or in
    the newest frame gets no scores.

    Args:
        items: frames of any number of cameras, each camera's in order.
        spec: time grid of a clip; `crop_size` is the shorter side of the scene in pixels.
        now: Unix seconds.
        stride_s: seconds between the ends of two consecutive clips of one camera.

    Yields:
        One item per item, in order.
    """
    buffers: dict[str, SceneBuffer] = {}
    for item in items:
        if isinstance(item, StreamEnd):
            buffers.pop(item.camera_id, None)
            yield item
        else:
            buffer = buffers.setdefault(item.frame.camera_id, SceneBuffer(spec, stride_s))
            scene = buffer.add(item)
            yield ClippedFrame(item, clips=(), clipped_at=now(), scene=scene)


@dataclass(frozen=True, slots=True, eq=False)
class _SceneFrame:
    image: NDArray[np.uint8]  # (H, W, 3) BGR, resized
    xyxy: dict[int, FloatArray]  # by track id, pixels of `image`


class SceneBuffer:
    """The newest frames of one camera, bounded by what one clip needs.

    Args:
        spec: time grid of a clip and size of the scene.
        stride_s: seconds between the ends of two clips.
    """

    def __init__(self, spec: ClipSpec, stride_s: float) -> None:
        self._spec = spec
        self._window = ClipWindow[_SceneFrame](spec, stride_s)
        self._wh: tuple[int, int] | None = None

    def __len__(self) -> int:
        return len(self._window)

    def add(self, item: TrackedFrame) -> SceneClip | None:
        """Store this frame and the boxes of its people.

        Returns:
            The clip that ends at this frame, or None if it is not due, not complete, or without
            a person who is in both its middle and its newest frame.
        """
        frame = item.frame
        if frame.wh != self._wh:  # the resolution changed: no clip may mix two
            self._window.clear()
            self._wh = frame.wh
        if not self._window.wants(frame.pts_s):
            return None
        self._window.add(frame.pts_s, self._resized(item))
        frames = self._window.cut()
        return None if frames is None else self._clip(item, frames)

    def _resized(self, item: TrackedFrame) -> _SceneFrame:
        width, height = item.frame.wh
        scale = self._spec.crop_size / min(width, height)
        wh = max(1, round(width * scale)), max(1, round(height * scale))
        interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        image = np.asarray(cv2.resize(item.frame.image, wh, interpolation=interpolation), np.uint8)
        factor = np.array([wh[0] / width, wh[1] / height] * 2, np.float32)
        return _SceneFrame(image, {p.track_id: p.xyxy * factor for p in item.people})

    def _clip(self, item: TrackedFrame, frames: list[_SceneFrame]) -> SceneClip | None:
        key = frames[len(frames) // 2]  # PySlowFast and mmaction2 sample around this frame
        people = [person for person in item.people if person.track_id in key.xyxy]
        if not people:
            return None
        frame = item.frame
        return SceneClip(
            camera_id=frame.camera_id,
            track_ids=tuple(person.track_id for person in people),
            frames=np.stack([sample.image for sample in frames]),
            key_xyxy=np.stack([key.xyxy[person.track_id] for person in people]),
            xyxy=np.stack([person.xyxy for person in people]),
            start_pts_s=frame.pts_s - self._spec.span_s,
            end_pts_s=frame.pts_s,
        )
