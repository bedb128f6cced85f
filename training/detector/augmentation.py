"""Augment images without labels: anything may be done to them.

The teacher sees the same augmented image as the student; its outputs are the labels.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]  # (H, W, 3) BGR
Draw = Callable[[np.random.Generator], Image]

# An image is shown as large as the detector would show it, times a factor of this range.
MIN_ZOOM, MAX_ZOOM = 0.35, 1.8
MIN_ZOOM_ALONE = 0.7  # of an image that is not one of four: no canvas is mostly empty
MAX_TURN_DEGREES = 6.0
MAX_STRETCH = 0.25  # of the aspect ratio
MAX_OUTSIDE = 0.2  # fraction of an image, or of its canvas, that may lie outside of the other
MOSAIC_PROB = 0.55  # of images made of four
MIX_PROB = 0.12  # of images with another one shining through
PASTE_PROB = 0.25  # of images with patches of another one
FILLING = 114  # grey level outside of images, as ultralytics pads


def make_view(draw: Draw, rng: np.random.Generator, size: int, shown_at: int) -> Image:
    """Make one augmented image.

    Args:
        draw: gives a random image, uint8 (H, W, 3) BGR.
        rng: of all that is random here.
        size: sides of the result in pixels.
        shown_at: pixels to which the detector scales the longer side of an image.

    Returns:
        uint8 (size, size, 3) BGR.
    """
    view = _geometry(draw, rng, size, shown_at)
    if rng.random() < PASTE_PROB:
        _paste_patches(view, _geometry(draw, rng, size, shown_at), rng)
    if rng.random() < MIX_PROB:
        other = _geometry(draw, rng, size, shown_at)
        weight = rng.uniform(0.55, 0.9)
        view = np.asarray(cv2.addWeighted(view, weight, other, 1 - weight, 0), np.uint8)
    return degrade(recolour(view, rng), rng)


def _geometry(draw: Draw, rng: np.random.Generator, size: int, shown_at: int) -> Image:
    if rng.random() < MOSAIC_PROB:
        return mosaic(draw, rng, size, shown_at)
    return place(draw(rng), rng, (size, size), shown_at, MIN_ZOOM_ALONE)


def mosaic(draw: Draw, rng: np.random.Generator, size: int, shown_at: int) -> Image:
    """Combine four images around a random point, each with its own random cut."""
    x, y = (int(size * rng.uniform(0.25, 0.75)) for _ in range(2))
    view = np.empty((size, size, 3), np.uint8)
    for rows in (slice(0, y), slice(y, size)):
        for columns in (slice(0, x), slice(x, size)):
            cell = (columns.stop - columns.start, rows.stop - rows.start)
            view[rows, columns] = place(draw(rng), rng, cell, shown_at)
    return view


def place(
    image: Image,
    rng: np.random.Generator,
    wh: tuple[int, int],
    shown_at: int,
    min_zoom: float = MIN_ZOOM,
) -> Image:
    """Show an image at a random size, turn and position in a canvas of `wh` pixels."""
    height, width = image.shape[:2]
    zoom = shown_at / max(height, width) * _log_uniform(rng, min_zoom, MAX_ZOOM)
    stretch = _log_uniform(rng, 1 / (1 + MAX_STRETCH), 1 + MAX_STRETCH) ** 0.5
    angle = np.deg2rad(rng.normal(0, MAX_TURN_DEGREES / 2))
    mirror = -1.0 if rng.random() < 0.5 else 1.0
    scale = np.diag([mirror * zoom * stretch, zoom / stretch])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = turn @ scale
    # Anywhere in the canvas, or any part of it; up to MAX_OUTSIDE of the smaller one is cut off.
    shown = np.abs(np.diag(scale)) * (width, height)
    slack = np.abs(shown - wh) / 2 + MAX_OUTSIDE * np.minimum(shown, wh)
    offset = np.array(wh) / 2 + rng.uniform(-slack, slack) - linear @ (width / 2, height / 2)
    matrix = np.column_stack([linear, offset])
    if zoom < 0.6:  # less aliasing, and cheaper, on an image that was shrunk first
        half = cv2.resize(image, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
        matrix[:, :2] *= 2
        image = np.asarray(half, np.uint8)
    canvas = cv2.warpAffine(
        np.ascontiguousarray(image), matrix, wh, flags=cv2.INTER_LINEAR, borderValue=(FILLING,) * 3
    )
    return np.asarray(canvas, np.uint8)


def _paste_patches(view: Image, other: Image, rng: np.random.Generator) -> None:
    """Copy one to three rectangles of another image into this one."""
    size = len(view)
    for _ in range(rng.integers(1, 4)):
        w, h = (int(size * rng.uniform(0.08, 0.4)) for _ in range(2))
        x, y = int(rng.integers(size - w)), int(rng.integers(size - h))
        from_x, from_y = int(rng.integers(size - w)), int(rng.integers(size - h))
        view[y : y + h, x : x + w] = other[from_y : from_y + h, from_x : from_x + w]


def recolour(view: Image, rng: np.random.Generator) -> Image:
    """Change brightness, contrast, gamma and the colours; now and then to grey or night."""
    levels = np.arange(256, dtype=np.float32) / 255
    gamma = _log_uniform(rng, 0.6, 1.6)
    gain, bias = _log_uniform(rng, 0.65, 1.4), rng.uniform(-0.1, 0.1)
    tint = rng.uniform(0.85, 1.15, 3) if rng.random() < 0.5 else np.ones(3)
    curve = np.clip((levels**gamma - 0.5) * gain + 0.5 + bias, 0, 1)[:, None] * tint
    if rng.random() < 0.01:
        curve = 1 - curve
    table = (np.clip(curve, 0, 1) * 255).astype(np.uint8)[None]
    grey = rng.random()
    if grey < 0.12:
        level = cv2.cvtColor(view, cv2.COLOR_BGR2GRAY)
        view = np.asarray(cv2.cvtColor(level, cv2.COLOR_GRAY2BGR), np.uint8)
    elif grey < 0.5:
        hsv = cv2.cvtColor(view, cv2.COLOR_BGR2HSV)
        hue = ((np.arange(256) + rng.integers(-9, 10)) % 180).astype(np.uint8)
        saturation = np.clip(np.arange(256) * rng.uniform(0.3, 1.5), 0, 255).astype(np.uint8)
        same = np.arange(256, dtype=np.uint8)
        hsv = cv2.LUT(hsv, np.stack([hue, saturation, same], axis=-1)[None])
        view = np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR), np.uint8)
    return np.asarray(cv2.LUT(view, table), np.uint8)


def degrade(view: Image, rng: np.random.Generator) -> Image:
    """Make some images as bad as cheap cameras do: blur, low resolution, noise, JPEG."""
    size = len(view)
    if rng.random() < 0.12:
        view = np.asarray(cv2.GaussianBlur(view, (0, 0), rng.uniform(0.4, 1.6)), np.uint8)
    if rng.random() < 0.10:
        small = cv2.resize(view, (round(size * rng.uniform(0.4, 0.9)),) * 2)
        view = np.asarray(cv2.resize(small, (size, size)), np.uint8)
    if rng.random() < 0.12:
        noise = rng.integers(-128, 128, (64, 64, 3), dtype=np.int16)
        tiles = np.tile(noise, (-(-size // 64), -(-size // 64), 1))[:size, :size]
        strength = rng.uniform(0.02, 0.16)
        view = np.clip(view + tiles * strength, 0, 255).astype(np.uint8)
    if rng.random() < 0.15:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 80))]
        packed = cv2.imencode(".jpg", view, quality)[1]
        view = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)
    return view


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
