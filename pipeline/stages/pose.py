"""The pose stage: add key points to tracked people, at a bounded rate."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import replace
from typing import Protocol

import numpy as np

from models.boxes import FloatArray
from models.pose.key_points import KeyPoints, not_found
from pipeline.types import Image, StreamEnd, TrackedFrame

_ROUNDING_S = 1e-6  # seconds; pts_s are floats


class PoseEstimator(Protocol):
    """Interface of a pose network."""

    def estimate(self, image: Image, xyxy: FloatArray) -> KeyPoints:
        """Estimate the key points of people whose boxes are known.

        Args:
            image: uint8 (H, W, 3) BGR.
            xyxy: float32 (N, 4) pixels.

        Returns:
            float32 (N, 17, 3): x, y in pixels, confidence; zeros where nothing was found.
        """
        ...


class NoPose:
    """A pose network that finds nothing: recognizers then have the boxes alone."""

    def estimate(self, image: object, xyxy: FloatArray) -> KeyPoints:
        """Return float32 (N, 17, 3) zeros."""
        return not_found(len(xyxy))


def estimate_poses(
    items: Iterable[TrackedFrame | StreamEnd], estimator: PoseEstimator, fps: float
) -> Generator[TrackedFrame | StreamEnd, None, None]:
    """Add key points to the people of some frames.

    Frames are chosen by their times, so a camera of 60 fps costs no more than one of 10. A
    frame without people costs nothing, and the next one with people is used at once.

    Args:
        items: frames of any number of cameras, each camera's in order.
        estimator: called once per chosen frame.
        fps: most frames per second and camera.

    Yields:
        One item per item, in order.
    """
    used_pts_s: dict[str, float] = {}
    for item in items:
        if isinstance(item, StreamEnd):
            used_pts_s.pop(item.camera_id, None)
            yield item
            continue
        frame = item.frame
        due = frame.pts_s - used_pts_s.get(frame.camera_id, -np.inf) >= 1 / fps - _ROUNDING_S
        if not (item.people and due):
            yield item
            continue
        used_pts_s[frame.camera_id] = frame.pts_s
        found = estimator.estimate(frame.image, np.stack([one.xyxy for one in item.people]))
        people = zip(item.people, found, strict=True)
        yield replace(item, people=tuple(replace(one, key_points=row) for one, row in people))
