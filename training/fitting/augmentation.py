"""What may differ between two views of the same action: framing, colour and sharpness."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from training.crops.crop_cache import Crops

BLUR_SIDES = (32, 84)  # pixels to which crops are reduced, as if people were far away


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewSpec:
    """How much views differ; with the defaults not at all."""

    scale: float = 0.0  # a detector's box is up to this share larger or smaller
    shift: float = 0.0  # share of the crop
    jitter: float = 0.0  # deviation from frame to frame, share of the crop
    cut_prob: float = 0.0  # of clips that show less than they could, as at the border of an image
    max_cut: float = 0.0  # of the crop's width or height, on one side
    blur_prob: float = 0.0  # of clips that look as if people were far away
    grey_prob: float = 0.0  # of clips without colour
    colour: float = 0.0  # strength of brightness, contrast, gamma and tint


def augment(
    crops: Crops, size: int, spec: ViewSpec, rng: np.random.Generator, *, mirrored: bool
) -> Crops:
    """Draw a random view of a clip.

    Args:
        crops: uint8 (T, C, C, 3), wider than the network's crop by C / size.
        size: S, side of the network's crop.
        spec: how much may differ.
        rng: of everything random.
        mirrored: left and right change places.

    Returns:
        uint8 (T, S, S, 3).
    """
    if rng.random() < spec.cut_prob:
        crops = _cut_edges(crops, spec.max_cut, rng)
    crops = _reframe(crops, size, spec, rng, mirror=-1.0 if mirrored else 1.0)
    if rng.random() < spec.blur_prob:
        crops = _reduce(crops, int(rng.integers(*BLUR_SIDES)))
    return _recolour(crops, spec, rng)


def _cut_edges(crops: Crops, max_cut: float, rng: np.random.Generator) -> Crops:
    """Repeat the pixels of a narrower view outwards.

    Videos that are cut to the people have crops with such borders; without this the borders alone
    would reveal the data set, and with it the class.
    """
    side = crops.shape[1]
    left, right, top, bottom = (int(cut) for cut in rng.uniform(0, max_cut, 4) * side)
    columns = np.arange(side).clip(left, side - 1 - right)
    rows = np.arange(side).clip(top if rng.random() < 0.5 else 0, side - 1 - bottom)
    return crops[:, rows[:, None], columns[None, :]]


def _reframe(
    crops: Crops, size: int, spec: ViewSpec, rng: np.random.Generator, *, mirror: float
) -> Crops:
    """Scale, shift, mirror and tremble in one warp per frame."""
    scale = 1 + rng.uniform(-spec.scale, spec.scale)
    shift = rng.uniform(-spec.shift, spec.shift, 2) * size
    trembling = rng.normal(0, spec.jitter * size, (len(crops), 2))
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


def _recolour(crops: Crops, spec: ViewSpec, rng: np.random.Generator) -> Crops:
    """Change brightness, contrast, gamma and tint of the whole clip; sometimes to grey."""
    strength = spec.colour
    gamma = np.exp(strength * rng.uniform(-0.35, 0.35))
    contrast = 1 + strength * rng.uniform(-0.3, 0.3)
    levels = (np.linspace(0, 1, 256)[:, None] ** gamma - 0.5) * contrast + 0.5
    levels = levels + strength * rng.uniform(-0.15, 0.15)
    tint = 1 + strength * rng.uniform(-0.1, 0.1, 3)
    table = (255 * levels * tint).round().clip(0, 255).astype(np.uint8)
    tall = crops.reshape(-1, crops.shape[2], 3)
    if rng.random() < spec.grey_prob:
        tall = np.repeat(cv2.cvtColor(tall, cv2.COLOR_BGR2GRAY)[..., None], 3, axis=2)
    coloured = cv2.LUT(tall, table[None])
    return np.asarray(coloured.reshape(crops.shape), np.uint8)
