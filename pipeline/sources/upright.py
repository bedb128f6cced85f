"""Pixels as a player shows them: turned, mirrored and with square pixels; an adapter to PyAV."""

from __future__ import annotations

import math
import struct
from fractions import Fraction
from typing import cast

import av
import numpy as np
from numpy.typing import NDArray

# A pixel 2 % wider than high is not worth a scaling; one outside of 1:5 to 5:1 is a mistake.
_LEAST_STRETCH, _MOST_STRETCH = 0.02, 5.0


def upright_bgr(
    frame: av.VideoFrame,
    pixel_aspect: Fraction | None = None,
    turned: tuple[int, ...] | None = None,
) -> NDArray[np.uint8]:
    """Convert a frame to the pixels that a player shows.

    Pixels that are not square (recorders of 704x576 or 960x1080) are scaled in width, as players
    do; then the display matrix is applied: quarter turns, mirrored or not.

    Args:
        frame: as decoded.
        pixel_aspect: width of a pixel divided by its height; None: unknown, which means square.
        turned: display matrix of a frame that does not carry its own.

    Returns:
        uint8 (H, W, 3) BGR, contiguous.
    """
    width = square_width(frame.width, pixel_aspect)
    if width == frame.width:
        image = np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
    else:
        image = np.asarray(frame.to_ndarray(format="bgr24", width=width), np.uint8)
    matrix = cast("bytes | None", frame.side_data.get("DISPLAYMATRIX"))
    if matrix is not None:
        turned = struct.unpack_from("=9i", matrix)
    return image if turned is None else _displayed(image, turned)


def square_width(width: int, pixel_aspect: Fraction | None) -> int:
    """Return the width in square pixels of an image of `width` stored ones."""
    aspect = float(pixel_aspect or 1)
    if not 1 / _MOST_STRETCH <= aspect <= _MOST_STRETCH or abs(aspect - 1) < _LEAST_STRETCH:
        return width
    return max(round(width * aspect), 1)


def _displayed(image: NDArray[np.uint8], matrix: tuple[int, ...]) -> NDArray[np.uint8]:
    """Apply a display matrix, (a, b, u, c, d, v, x, y, w) as in ISO/IEC 14496-12, to an image.

    A pixel at (x, y) is shown at (ax + cy, bx + dy); angles between are rounded to quarter turns.
    """
    a, b, _, c, d = matrix[:5]
    determinant = a * d - b * c
    if not determinant:  # it would show nothing
        return image
    if determinant < 0:
        image = image[::-1]  # upside down, then turned: every mirrored orientation is one of these
    clockwise = round(math.degrees(math.atan2(b, a)) / 90) % 4
    return np.ascontiguousarray(np.rot90(image, -clockwise))
