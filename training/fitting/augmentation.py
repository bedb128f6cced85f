"""What may differ between two views of the same action: framing, look and what hides people."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.crops.crop_cache import Crops

BLUR_SIDES = (32, 84)  # pixels to which crops are reduced, as if people were far away
CUTOUT_SIDES = (0.1, 0.35)  # fraction of the crop that a hidden rectangle is wide or high
MIX_STRENGTHS = (0.1, 0.35)  # of another clip's image, mixed into all frames
INFRARED_NOISE = (2.0, 9.0)  # deviation of a night camera's grain, grey levels


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
    infrared_prob: float = 0.0  # of clips that look as if an infrared camera had recorded them
    cutout_prob: float = 0.0  # of clips in which a rectangle is hidden
    mix_prob: float = 0.0  # of clips behind which another clip's image shows through
    colour: float = 0.0  # strength of brightness, contrast, gamma and tint


def augment(
    crops: Crops,
    size: int,
    spec: ViewSpec,
    rng: np.random.Generator,
    *,
    mirrored: bool,
    behind: Crops | None = None,
) -> Crops:
    """Draw a random view of a clip.

    Args:
        crops: uint8 (T, C, C, 3), wider than the network's crop by C / size.
        size: S, side of the network's crop.
        spec: how much may differ.
        rng: of everything random.
        mirrored: left and right change places.
        behind: uint8 (1, C, C, 3) of another clip, which may show through.

    Returns:
        uint8 (T, S, S, 3).
    """
    if rng.random() < spec.cut_prob:
        crops = _cut_edges(crops, spec.max_cut, rng)
    crops = _reframe(crops, size, spec, rng, mirror=-1.0 if mirrored else 1.0)
    if spec.mix_prob and behind is not None and rng.random() < spec.mix_prob:
        crops = _mix(crops, behind[0], rng.uniform(*MIX_STRENGTHS))
    if rng.random() < spec.blur_prob:
        crops = _reduce(crops, int(rng.integers(*BLUR_SIDES)))
    crops = _recolour(crops, spec, rng)
    # No draw where the option is off: the views of earlier runs stay what they were.
    if spec.infrared_prob and rng.random() < spec.infrared_prob:
        crops = _infrared(crops, rng)
    if spec.cutout_prob and rng.random() < spec.cutout_prob:
        crops = _cut_out(crops, rng)
    return crops


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


def _mix(crops: Crops, behind: NDArray[np.uint8], strength: float) -> Crops:
    """Let another clip's image show through, so that a place alone decides nothing."""
    size = crops.shape[1]
    image = cv2.resize(behind, (size, size), interpolation=cv2.INTER_AREA)
    mixed = [cv2.addWeighted(crop, 1 - strength, image, strength, 0) for crop in crops]
    return np.asarray(np.stack(mixed), np.uint8)


def _infrared(crops: Crops, rng: np.random.Generator) -> Crops:
    """Look like a camera at night: grey, bright skin and cloth, a dark background, grain."""
    grey = cv2.cvtColor(crops.reshape(-1, crops.shape[2], 3), cv2.COLOR_BGR2GRAY)
    levels = (np.linspace(0, 1, 256) ** rng.uniform(0.6, 1.8) * rng.uniform(0.6, 1.1) * 255).clip(0)
    lit = levels[grey].reshape(crops.shape[:3])
    grain = rng.normal(0, rng.uniform(*INFRARED_NOISE), lit.shape)
    noisy = (lit + grain).round().clip(0, 255).astype(np.uint8)
    return np.repeat(noisy[..., None], 3, axis=3)


def _cut_out(crops: Crops, rng: np.random.Generator) -> Crops:
    """Hide a rectangle in all frames behind its mean colour, as furniture hides people."""
    size = crops.shape[1]
    height, width = (max(1, int(side * size)) for side in rng.uniform(*CUTOUT_SIDES, 2))
    top, left = rng.integers(0, size - height + 1), rng.integers(0, size - width + 1)
    rows, columns = slice(top, top + height), slice(left, left + width)
    covered = crops.copy()
    covered[:, rows, columns] = crops[:, rows, columns].mean(axis=(0, 1, 2)).astype(np.uint8)
    return covered
