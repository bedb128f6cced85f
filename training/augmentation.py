"""What may differ between two views of the same action: framing, colour and sharpness."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Crops = NDArray[np.uint8]  # (T, S, S, 3) BGR

# Shares of the person's crop, unless said otherwise.
MAX_SCALE = 0.2  # a detector's box is larger or smaller
MAX_SHIFT = 0.08
FRAME_JITTER = 0.008  # deviation from frame to frame
BLUR_SHARE = 0.3  # of clips that are shown as if people were far away
BLUR_SIDES = (32, 84)  # pixels to which those crops are reduced
GREY_SHARE = 0.15
CUT_SHARE = 0.5  # of clips that show less than they could, as at the border of an image
MAX_CUT = 0.3  # of the crop's width or height, on one side


def augment(crops: Crops, size: int, rng: np.random.Generator) -> Crops:
    """A random view of a clip.

    Args:
        crops: uint8 (T, C, C, 3), wider than the network's crop by C / size.
        size: S, side of the network's crop.
        rng: of everything random.

    Returns:
        uint8 (T, S, S, 3).
    """
    if rng.random() < CUT_SHARE:
        crops = _cut_edges(crops, rng)
    crops = _reframe(crops, size, rng)
    if rng.random() < BLUR_SHARE:
        crops = _reduce(crops, int(rng.integers(*BLUR_SIDES)))
    return _recolour(crops, rng)


def centre(crops: Crops, size: int) -> Crops:
    """The view the live pipeline has: uint8 (T, C, C, 3) -> (T, size, size, 3)."""
    offset = (crops.shape[1] - size) // 2
    return crops[:, offset : offset + size, offset : offset + size]


def _cut_edges(crops: Crops, rng: np.random.Generator) -> Crops:
    """Repeat the pixels of a narrower view outwards.

    The videos of ut_interaction are cut to the pair, so their crops have such borders; without
    this the borders alone would tell the data set, and with it the class.
    """
    side = crops.shape[1]
    left, right, top, bottom = (int(cut) for cut in rng.uniform(0, MAX_CUT, 4) * side)
    columns = np.arange(side).clip(left, side - 1 - right)
    rows = np.arange(side).clip(top if rng.random() < 0.5 else 0, side - 1 - bottom)
    return crops[:, rows[:, None], columns[None, :]]


def _reframe(crops: Crops, size: int, rng: np.random.Generator) -> Crops:
    """Scale, shift, mirror and tremble in one warp per frame."""
    scale = 1 + rng.uniform(-MAX_SCALE, MAX_SCALE)
    mirror = -1.0 if rng.random() < 0.5 else 1.0
    shift = rng.uniform(-MAX_SHIFT, MAX_SHIFT, 2) * size
    trembling = rng.normal(0, FRAME_JITTER * size, (len(crops), 2))
    middle = (crops.shape[1] - 1) / 2 + shift + trembling
    out = np.empty((len(crops), size, size, 3), np.uint8)
    half = (size - 1) / 2
    for crop, (x, y), target in zip(crops, middle, out, strict=True):
        to_source = np.array(
            [[mirror * scale, 0, x - mirror * scale * half], [0, scale, y - scale * half]]
        )
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        cv2.warpAffine(
            crop, to_source, (size, size), target, flags, borderMode=cv2.BORDER_REPLICATE
        )
    return out


def _reduce(crops: Crops, side: int) -> Crops:
    size = crops.shape[1]
    small = [cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA) for crop in crops]
    back = [cv2.resize(crop, (size, size), interpolation=cv2.INTER_LINEAR) for crop in small]
    return np.asarray(np.stack(back), np.uint8)


def _recolour(crops: Crops, rng: np.random.Generator) -> Crops:
    """Brightness, contrast, gamma and tint of the whole clip; sometimes grey."""
    levels = np.linspace(0, 1, 256)[:, None] ** rng.uniform(0.7, 1.4)
    levels = (levels - 0.5) * rng.uniform(0.7, 1.3) + 0.5 + rng.uniform(-0.15, 0.15)
    table = (255 * levels * rng.uniform(0.9, 1.1, 3)).clip(0, 255).astype(np.uint8)
    tall = crops.reshape(-1, crops.shape[2], 3)
    if rng.random() < GREY_SHARE:
        tall = np.repeat(cv2.cvtColor(tall, cv2.COLOR_BGR2GRAY)[..., None], 3, axis=2)
    coloured = cv2.LUT(tall, table[None])
    return np.asarray(coloured.reshape(crops.shape), np.uint8)
