"""Walking and standing from a person's path."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.boxes import FloatArray

# Body heights per second. On PETS09-S2L1 (4476 boxes, at the 10 fps of its container) speeds
# spread from 0 to 1.4 with a dip between 0.1 and 0.2: people below it shift their weight, people
# from 0.35 on take steps. In between both are seen, so nothing is learned from there.
STAND_BELOW = 0.2
WALK_ABOVE = 0.35
SMOOTH_S = 1.0
NAMES = ("stand", "walk")


def body_speed(pts_s: NDArray[np.float64], xyxy: FloatArray) -> NDArray[np.float64]:
    """How fast the feet move across the image.

    Args:
        pts_s: float64 (N,) growing, N >= 2.
        xyxy: float32 (N, 4) boxes of one person.

    Returns:
        float64 (N,) body heights per second, over the second around each box.
    """
    feet = np.stack([(xyxy[:, 0] + xyxy[:, 2]) / 2, xyxy[:, 3]], axis=1)
    before = np.maximum(pts_s - SMOOTH_S / 2, pts_s[0])
    after = np.minimum(pts_s + SMOOTH_S / 2, pts_s[-1])
    moved = [np.interp(after, pts_s, c) - np.interp(before, pts_s, c) for c in feet.T]
    body_height = float(np.median(xyxy[:, 3] - xyxy[:, 1]))
    return np.asarray(np.hypot(*moved) / (after - before) / body_height)


def height_change(pts_s: NDArray[np.float64], xyxy: FloatArray) -> NDArray[np.float64]:
    """How fast a person gets taller or smaller in the image: nears the camera or leaves it.

    Args:
        pts_s: float64 (N,) growing, N >= 2.
        xyxy: float32 (N, 4) boxes of one person.

    Returns:
        float64 (N,) without sign, share of the height per second, over the second around each box.
    """
    height = np.log(np.maximum(xyxy[:, 3] - xyxy[:, 1], 1.0))
    before = np.maximum(pts_s - SMOOTH_S / 2, pts_s[0])
    after = np.minimum(pts_s + SMOOTH_S / 2, pts_s[-1])
    changed = np.interp(after, pts_s, height) - np.interp(before, pts_s, height)
    return np.asarray(np.abs(changed) / (after - before))


def speed_runs(
    speed: NDArray[np.float64], pts_s: NDArray[np.float64], min_span_s: float
) -> list[tuple[str, slice]]:
    """Stretches in which somebody only walks or only stands.

    Args:
        speed: float64 (N,) body heights per second.
        pts_s: float64 (N,) growing.
        min_span_s: shorter stretches are left out.

    Returns:
        (label, rows) for each, in order; rows between the two speeds belong to none.
    """
    codes = np.where(speed <= STAND_BELOW, 0, np.where(speed >= WALK_ABOVE, 1, -1))
    borders = np.flatnonzero(np.diff(codes)) + 1
    runs = []
    for start, stop in zip([0, *borders], [*borders, len(codes)], strict=True):
        if codes[start] >= 0 and pts_s[stop - 1] - pts_s[start] >= min_span_s:
            runs.append((NAMES[codes[start]], slice(int(start), int(stop))))
    return runs
