"""Made-up people: how a stick figure stands, falls, sits down, squats and lies."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from models.skeleton.skeleton_clip import SkeletonClip

BODY = 200.0  # pixels
# Of an upright figure, from the feet: along the body and across it, in body lengths.
_ALONG = (0.92, 0.94, 0.94, 0.93, 0.93, 0.82, 0.82, 0.65, 0.65, 0.5, 0.5)
_LEGS = (0.5, 0.5, 0.27, 0.27, 0.03, 0.03)
_ACROSS = (0, 0.02, -0.02, 0.04, -0.04, 0.1, -0.1, 0.13, -0.13, 0.14, -0.14)
_LEGS_ACROSS = (0.07, -0.07, 0.08, -0.08, 0.08, -0.08)


def figure(tilt_deg: float = 0.0, squat: float = 0.0, at: tuple[float, float] = (400, 400)):  # type: ignore[no-untyped-def]
    """Return key points (17, 3) and box (4,) of a figure turned about its feet.

    Args:
        tilt_deg: from upright.
        squat: how far hips have come down to the feet, 0 to 1.
        at: of the feet, pixels.
    """
    along = np.array([*_ALONG, *_LEGS]) - squat * np.array([*[0.45] * 11, 0.4, 0.4, 0.1, 0.1, 0, 0])
    across = np.array([*_ACROSS, *_LEGS_ACROSS]) * (1 + 1.2 * squat)
    turn = np.deg2rad(tilt_deg)
    x = at[0] + BODY * (along * np.sin(turn) + across * np.cos(turn))
    y = at[1] - BODY * (along * np.cos(turn) - across * np.sin(turn))
    points = np.stack([x, y, np.full(17, 0.9)], axis=1).astype(np.float32)
    pad = 0.05 * BODY
    box = np.array([x.min() - pad, y.min() - pad, x.max() + pad, y.max() + pad], np.float32)
    return points, box


def clip_of(
    pose: Callable[[float], dict[str, object]], length: int = 25, interval_s: float = 0.1
) -> SkeletonClip:
    """Make a clip of one figure whose pose is a function of the time in seconds."""
    figures = [figure(**pose(n * interval_s)) for n in range(length)]  # type: ignore[arg-type]
    points, boxes = zip(*figures, strict=True)
    return SkeletonClip(np.stack(points)[None], np.stack(boxes)[None])


def between(time_s: float, start_s: float, end_s: float) -> float:
    """Return 0 before the start, 1 after the end."""
    return float(np.clip((time_s - start_s) / (end_s - start_s), 0, 1))
