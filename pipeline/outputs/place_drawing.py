"""Draw zones and lines into an image, for those who draw them and for annotated videos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.outputs.drawing import ACTING, Canvas, Colour
from pipeline.rules.lines import Line
from pipeline.rules.zones import Zone
from pipeline.types import Image

# Of the palette of Okabe and Ito, like those of people.
ZONE: Colour = (115, 158, 0)  # bluish green
LINE: Colour = (167, 121, 204)  # reddish purple
_BLACK: Colour = (0, 0, 0)
_WHITE: Colour = (255, 255, 255)
_FILL = 0.25  # opacity of a zone's inside
_GRID = 10  # parts of each side
_GRID_OPACITY = 0.45
_ARROW = 0.09  # length, of the shorter side of the image
_SUBPIXEL_BITS = 4

PixelPoints = NDArray[np.int32]


def draw_zone(canvas: Canvas, zone: Zone, label: str, *, is_occupied: bool = False) -> None:
    """Draw a zone's border and a label inside.

    Args:
        canvas: is drawn on.
        zone: in fractions of the image.
        label: what stands in it.
        is_occupied: drawn in the colour of people who act.
    """
    corners, colour = _pixels(canvas, zone.points), ACTING if is_occupied else ZONE
    _outline(canvas, corners, colour, is_closed=True)
    centre = corners.mean(axis=0) / 2**_SUBPIXEL_BITS
    left = round(float(centre[0])) - canvas.text_width(label) // 2
    canvas.filled_text(label, left, round(float(centre[1])) - canvas.row_px // 2, colour)


def fill_zones(image: Image, zones: Sequence[Zone]) -> None:
    """Tint the inside of zones."""
    tinted = image.copy()
    canvas = Canvas(tinted)
    for zone in zones:
        cv2.fillPoly(tinted, [_pixels(canvas, zone.points)], ZONE, cv2.LINE_AA, _SUBPIXEL_BITS)
    cv2.addWeighted(tinted, _FILL, image, 1 - _FILL, 0, image)


def draw_line(canvas: Canvas, line: Line, label: str, *, arrow_label: str = "") -> None:
    """Draw a line with a dot at its start and an arrow that shows `left_to_right`.

    Args:
        canvas: is drawn on.
        line: in fractions of the image.
        label: what stands at its start.
        arrow_label: what stands at the tip of the arrow.
    """
    ends = _pixels(canvas, np.array([line.start, line.end]))
    _outline(canvas, ends, LINE, is_closed=False)
    start, end = (ends / 2**_SUBPIXEL_BITS).astype(np.float64)
    along = end - start
    # Who faces the end has the right hand where the direction is turned clockwise in the image.
    right = np.array([-along[1], along[0]]) / max(float(np.hypot(*along)), 1e-9)
    middle = (start + end) / 2
    tip = middle + right * _ARROW * min(canvas.image.shape[:2])
    for colour, width in ((_BLACK, canvas.line_px + 2), (LINE, canvas.line_px)):
        cv2.arrowedLine(
            canvas.image, _whole(middle), _whole(tip), colour, width, cv2.LINE_AA, tipLength=0.35
        )
    cv2.circle(canvas.image, _whole(start), 3 * canvas.line_px, LINE, cv2.FILLED, cv2.LINE_AA)
    canvas.filled_text(label, *_whole(start + 4 * canvas.line_px), LINE)
    if arrow_label:
        canvas.filled_text(arrow_label, *_whole(tip), LINE)


def draw_grid(canvas: Canvas) -> None:
    """Draw lines at every tenth of the image's sides, and their fractions at the edges."""
    height, width = canvas.image.shape[:2]
    clear = canvas.image.copy()
    for number in range(1, _GRID):
        x, y = width * number // _GRID, height * number // _GRID
        weight = canvas.line_px + (number == _GRID // 2)
        for colour, wide in ((_BLACK, weight + 2), (_WHITE, weight)):
            cv2.line(canvas.image, (x, 0), (x, height), colour, wide)
            cv2.line(canvas.image, (0, y), (width, y), colour, wide)
    opacity = _GRID_OPACITY
    cv2.addWeighted(canvas.image, opacity, clear, 1 - opacity, 0, canvas.image)
    for number in range(1, _GRID):
        text = f"{number / _GRID:g}"
        x, y = width * number // _GRID, height * number // _GRID
        canvas.filled_text(text, x - canvas.text_width(text) // 2, 0, _BLACK, _WHITE)
        canvas.filled_text(text, 0, y - canvas.row_px // 2, _BLACK, _WHITE)


def draw_point(canvas: Canvas, point: tuple[float, float], label: str) -> None:
    """Mark a point with a cross and a label.

    Args:
        canvas: is drawn on.
        point: in fractions of the image.
        label: what stands beside it.
    """
    (place,) = _pixels(canvas, np.array([point])) // 2**_SUBPIXEL_BITS
    size = 8 * canvas.line_px
    for colour, width in ((_BLACK, canvas.line_px + 2), (ACTING, canvas.line_px)):
        cv2.drawMarker(canvas.image, _whole(place), colour, cv2.MARKER_CROSS, size, width)
    canvas.filled_text(label, *_whole(place + size // 2), ACTING)


def count_label(line: Line, crossings: Mapping[tuple[str, str], int]) -> str:
    """Return a line's name with how often it was crossed in each direction.

    Args:
        line: the line.
        crossings: numbers by name of the line and direction.
    """
    to_right, to_left = (
        crossings.get((line.name, direction), 0) for direction in ("left_to_right", "right_to_left")
    )
    return f"{line.name} >{to_right} <{to_left}"


def _outline(canvas: Canvas, points: PixelPoints, colour: Colour, *, is_closed: bool) -> None:
    for ink, width in ((_BLACK, canvas.line_px + 2), (colour, canvas.line_px)):
        cv2.polylines(
            canvas.image, [points], is_closed, ink, width, cv2.LINE_AA, shift=_SUBPIXEL_BITS
        )


def _pixels(canvas: Canvas, points: NDArray[np.float64]) -> PixelPoints:
    """Return points in pixels, multiplied as OpenCV wants fractions of them."""
    height, width = canvas.image.shape[:2]
    places = points * (width, height) * 2**_SUBPIXEL_BITS
    return np.asarray(np.rint(places), np.int32)


def _whole(point: NDArray[np.floating] | NDArray[np.integer]) -> tuple[int, int]:
    return round(float(point[0])), round(float(point[1]))
