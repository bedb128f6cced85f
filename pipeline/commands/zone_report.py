"""What can be said of a camera's zones and lines, and of points in its image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.config.live import CameraConfig
from pipeline.errors import ConfigError
from pipeline.outputs.drawing import Canvas
from pipeline.outputs.place_drawing import (
    draw_grid,
    draw_line,
    draw_point,
    draw_zone,
    fill_zones,
)
from pipeline.rules.lines import Line
from pipeline.rules.shapes import Point
from pipeline.rules.zones import Zone, ZoneTracker
from pipeline.types import Image

_ALMOST = 0.03  # distance from the edge of the image at which a zone was meant to reach it
_FEW_PIXELS = 12  # shorter side of a zone, or length of a line, that a box's tremble exceeds


def parse_point(text: str, wh: tuple[int, int]) -> Point:
    """Return a point in fractions of the image.

    Args:
        text: `X,Y`, in fractions of the image, or in pixels if one of them is above 1.
        wh: width and height of the image, pixels.

    Raises:
        ConfigError: if it is no point inside the image.
    """
    try:
        x, y = (float(number) for number in text.split(","))
    except ValueError:
        raise ConfigError(f"--point {text}: expected X,Y, e.g. 0.4,0.75 or 512,300") from None
    if x > 1 or y > 1:
        x, y = x / wh[0], y / wh[1]
    if not (0 <= x <= 1 and 0 <= y <= 1):
        raise ConfigError(f"--point {text}: outside of the image of {wh[0]}x{wh[1]} pixels")
    return x, y


class ZoneReport:
    """Describes and draws the zones and lines of one camera.

    Args:
        name: of the camera.
        wh: width and height of its image, pixels.
        camera: its configuration; None: it has none.
    """

    def __init__(self, name: str, wh: tuple[int, int], camera: CameraConfig | None) -> None:
        self._name, self._wh = name, wh
        camera = camera or CameraConfig()
        self._zones = [config.zone(zone) for zone, config in camera.zones.items()]
        self._lines = [config.line(line) for line, config in camera.lines.items()]
        plane = camera.ground_plane
        self._plane = None if plane is None else plane.ground_plane()

    def drawn(self, image: Image, points: Sequence[Point]) -> Image:
        """Return the image with the grid, the zones, the lines and some points.

        Args:
            image: uint8 (H, W, 3) BGR.
            points: in fractions of the image.
        """
        canvas = Canvas(image.copy())
        fill_zones(canvas.image, self._zones)
        draw_grid(canvas)
        for line in self._lines:
            draw_line(canvas, line, line.name, arrow_label="left_to_right")
        for zone in self._zones:
            draw_zone(canvas, zone, zone.name)
        for point in points:
            draw_point(canvas, point, f"{point[0]:.3f}, {point[1]:.3f}")
        return canvas.image

    def places(self) -> list[str]:
        """Return a line per zone and line, or one that says that there are none."""
        width, height = self._wh
        lines = [f"camera {self._name}: {width}x{height} pixels"]
        if not (self._zones or self._lines):
            lines.append(f"no zones and lines under cameras.{self._name}")
        for zone in self._zones:
            share = _area(zone.points)
            lines.append(
                f"zone {zone.name}: {share:.1%} of the image, {len(zone.points)} corners, "
                f"{zone.anchor}, inertia {zone.inertia_s:g} s"
            )
        for line in self._lines:
            lines.append(
                f"line {line.name}: {self._length_px(line):.0f} pixels; left_to_right goes "
                f"{_direction(line, self._wh)} in the image"
            )
        return lines

    def describe(self, point: Point) -> str:
        """Return what a point is: fractions, pixels, zones, sides of lines, metres."""
        x, y = point
        width, height = self._wh
        # A person without a body there: then foot and centre are the point.
        box = np.array([x * width, y * height] * 2, np.float32)
        still = [Zone(one.name, one.points, one.anchor, 0.0) for one in self._zones]
        states = ZoneTracker(still).update(0.0, {0: box}, self._wh)
        inside = [state.zone for state in states if state.inside]
        parts = [
            f"point {x:.4f},{y:.4f}",
            f"pixel {x * width:.0f},{y * height:.0f}",
            f"in {', '.join(inside)}" if inside else "in no zone",
            *(f"on the {_hand(line, point, self._wh)} of {line.name}" for line in self._lines),
        ]
        if self._plane is not None:
            [(x_m, y_m)] = self._plane.place_feet(box[None], self._wh).round(2) + 0.0  # no -0
            parts.append("above the horizon" if np.isnan(x_m) else f"{x_m:.2f}, {y_m:.2f} m")
        return "; ".join(parts)

    def remarks(self) -> Iterator[str]:
        """Yield what is probably a mistake, each as one line."""
        for zone in self._zones:
            yield from self._zone_remarks(zone)
        for line in self._lines:
            if self._length_px(line) < _FEW_PIXELS:
                yield f"check: line {line.name} is only {self._length_px(line):.0f} pixels long"
        for one, other in combinations(self._zones, 2):
            if np.array_equal(one.points, other.points) and one.anchor == other.anchor:
                yield f"check: zones {one.name} and {other.name} are the same"

    def _zone_remarks(self, zone: Zone) -> Iterator[str]:
        lowest = float(zone.points[:, 1].max())
        if zone.anchor == "foot" and 0 < 1 - lowest <= _ALMOST:
            yield (
                f"check: zone {zone.name} ends {1 - lowest:.3f} above the lower edge of the image: "
                "feet that the edge cuts off are outside of it; let it reach to 1.0"
            )
        sides = (zone.points * self._wh).astype(np.float32)
        _, (width, height), _ = cv2.minAreaRect(sides)
        if min(width, height) < _FEW_PIXELS:
            yield f"check: zone {zone.name} is only {min(width, height):.0f} pixels wide"

    def _length_px(self, line: Line) -> float:
        return float(np.hypot(*((np.array(line.end) - line.start) * self._wh)))


def _area(points: NDArray[np.float64]) -> float:
    x, y = points[:, 0], points[:, 1]
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def _direction(line: Line, wh: tuple[int, int]) -> str:
    """Return where the right-hand side is, in words for an image."""
    dx, dy = (np.array(line.end) - line.start) * wh
    right_x, right_y = -dy, dx
    words = []
    if abs(right_y) > abs(right_x) / 2:
        words.append("down" if right_y > 0 else "up")
    if abs(right_x) > abs(right_y) / 2:
        words.append("to the right" if right_x > 0 else "to the left")
    return " and ".join(words)


def _hand(line: Line, point: Point, wh: tuple[int, int]) -> str:
    dx, dy = (np.array(line.end) - line.start) * wh
    px, py = (np.array(point) - line.start) * wh
    side = dx * py - dy * px
    return "line itself" if side == 0 else ("right hand" if side > 0 else "left hand")
