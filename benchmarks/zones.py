"""What zones and lines cost per frame, beside other ways to find the points in a polygon.

`python -m benchmarks.zones` measures 30 people, 20 zones and 20 lines on one core. With
`supervision` installed its PolygonZone is measured, too; the program does not need it.
"""

from __future__ import annotations

import time
import timeit
from collections.abc import Callable

import cv2
import numpy as np
import shapely

from models.boxes import FloatArray
from pipeline.rules.anchors import Points
from pipeline.rules.lines import Line, LineTracker
from pipeline.rules.zones import Zone, ZoneTracker

PEOPLE, ZONES, CORNERS, WH = 30, 20, 8, (1280, 720)
_FRAMES, _REPEATS = 100, 7


def main() -> None:
    """Print microseconds per frame, and ratios to the way that is taken."""
    rng = np.random.default_rng(0)
    polygons = [_polygon(rng) for _ in range(ZONES)]
    frames = _walkers(rng)
    feet = _feet(frames[0]) / WH
    prepared = np.array([shapely.Polygon(one) for one in polygons], object)
    shapely.prepare(prepared)
    loose = np.array([shapely.Polygon(one) for one in polygons], object)
    contours = [(one * WH).astype(np.float32) for one in polygons]
    points = [(float(x), float(y)) for x, y in feet * WH]
    ways: dict[str, Callable[[], object]] = {
        "shapely, prepared": lambda: shapely.intersects_xy(
            prepared[:, None], feet[:, 0], feet[:, 1]
        ),
        "shapely": lambda: shapely.intersects_xy(loose[:, None], feet[:, 0], feet[:, 1]),
        "OpenCV, pair by pair": lambda: [
            cv2.pointPolygonTest(contour, point, False) for contour in contours for point in points
        ],
    }
    if (theirs := _supervision(contours, frames[0])) is not None:
        ways["supervision's PolygonZone"] = theirs
    taken_us = _microseconds(ways["shapely, prepared"])
    print(f"{PEOPLE} points in {ZONES} polygons of {CORNERS} corners")
    for name, way in ways.items():
        spent_us = _microseconds(way)
        print(f"  {name:28} {spent_us:8.0f} us  {spent_us / taken_us:6.1f} times")
    zones = ZoneTracker([Zone(f"zone {n}", one) for n, one in enumerate(polygons)])
    lines = LineTracker([_line(f"line {n}", rng) for n in range(ZONES)])
    print(f"a frame of {PEOPLE} people who walk, as they are tracked")
    ways = {
        f"{ZONES} zones": lambda: _track(zones, frames),
        f"{ZONES} lines": lambda: [lines.update(one, WH) for one in frames],
    }
    for name, way in ways.items():
        print(f"  {name:28} {_microseconds(way, number=1) / len(frames):8.0f} us")


def _microseconds(way: Callable[[], object], number: int = 20) -> float:
    """Return the time on a core, which other programs on the machine do not add to."""
    times = timeit.repeat(way, timer=time.process_time, number=number, repeat=_REPEATS)
    return min(times) / number * 1e6


def _track(tracker: ZoneTracker, frames: list[dict[int, FloatArray]]) -> None:
    tracker.clear()
    for number, boxes in enumerate(frames):
        tracker.update(number / 10, boxes, WH)


def _line(name: str, rng: np.random.Generator) -> Line:
    start, end = rng.uniform(0, 1, (2, 2)).tolist()
    return Line(name, tuple(start), tuple(end))


def _polygon(rng: np.random.Generator) -> Points:
    angles, radii = np.sort(rng.uniform(0, 2 * np.pi, CORNERS)), rng.uniform(0.1, 0.3, CORNERS)
    around = np.stack([np.cos(angles), np.sin(angles)], axis=1) * radii[:, None]
    return np.clip(rng.uniform(0.3, 0.7, 2) + around, 0, 1)


def _walkers(rng: np.random.Generator) -> list[dict[int, FloatArray]]:
    """Return the boxes of people who walk, in frames a tenth of a second apart."""
    low = rng.uniform(0, 1, (PEOPLE, 2)) * (WH[0] - 60, WH[1] - 160)
    steps = rng.normal(0, 6, (PEOPLE, 2))
    frames = []
    for number in range(_FRAMES):
        places = low + steps * np.sin(number / 20) * 10 + rng.normal(0, 1, (PEOPLE, 2))
        xyxy = np.concatenate([places, places + np.array([60, 160])], axis=1)
        frames.append(dict(enumerate(xyxy.astype(np.float32))))
    return frames


def _feet(boxes: dict[int, FloatArray]) -> Points:
    xyxy = np.stack(list(boxes.values())).astype(np.float64)
    return np.stack([(xyxy[:, 0] + xyxy[:, 2]) / 2, xyxy[:, 3]], axis=1)


def _supervision(
    contours: list[FloatArray], boxes: dict[int, FloatArray]
) -> Callable[[], object] | None:
    try:
        import supervision
    except ImportError:
        return None
    anchors = (supervision.Position.BOTTOM_CENTER,)
    zones = [
        supervision.PolygonZone(polygon=one.astype(int), triggering_anchors=anchors)
        for one in contours
    ]
    detections = supervision.Detections(xyxy=np.stack(list(boxes.values())))
    return lambda: [zone.trigger(detections) for zone in zones]


if __name__ == "__main__":
    main()
