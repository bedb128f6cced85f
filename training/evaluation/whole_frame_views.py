"""Which frames and which parts of them mmaction2 tests a video on: clips over time, three crops.

So do its test pipelines of SlowFast on Kinetics: SampleFrames(clip_len=32, frame_interval=2,
num_clips=10, test_mode=True), Resize(scale=(-1, 256)), ThreeCrop(crop_size=256). Numbers of
mmaction2 1.2.0, mmaction/datasets/transforms/loading.py and processing.py.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.intp]


def view_frames(total: int, *, clip_len: int, frame_interval: int, clips: int) -> Indices:
    """Return the frames of each clip, spread evenly from the first frame to the last.

    One clip lies in the middle. A video shorter than a clip is looped. Steps are frames of the
    file, whatever its rate is.

    Args:
        total: frames of the video, at least one.
        clip_len: frames of a clip.
        frame_interval: from one frame of a clip to the next.
        clips: at least one.

    Returns:
        int (clips, clip_len), each below `total`.
    """
    free = max(total - ((clip_len - 1) * frame_interval + 1), 0)
    if clips == 1:
        starts = np.array([free // 2])
    else:
        starts = np.round(np.arange(clips) * (free / (clips - 1))).astype(np.intp)
    steps = np.arange(clip_len) * frame_interval
    return np.asarray((starts[:, None] + steps) % total, np.intp)


def scale_short_side(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Resize so that the shorter side is `side` pixels, bilinearly and without a blur before.

    Args:
        image: uint8 (H, W, 3).
        side: pixels.
    """
    height, width = image.shape[:2]
    scale = side / min(height, width)
    wh = int(width * scale + 0.5), int(height * scale + 0.5)  # rounded as mmcv does
    return np.asarray(cv2.resize(image, wh, interpolation=cv2.INTER_LINEAR), np.uint8)


def crop_corners(height: int, width: int, side: int, crops: int) -> tuple[tuple[int, int], ...]:
    """Return top and left of square crops along the longer side.

    Args:
        height: of the frame, pixels; one of the sides is `side`.
        width: of the frame.
        side: of a crop.
        crops: 3: both ends and the middle, in this order; 1: the middle.

    Raises:
        ValueError: for another number of crops.
    """
    if crops not in (1, 3):
        raise ValueError(f"one or three crops, not {crops}")
    down, right = (height - side) // 2, (width - side) // 2
    middle = down, right
    return (middle,) if crops == 1 else ((0, 0), (2 * down, 2 * right), middle)
