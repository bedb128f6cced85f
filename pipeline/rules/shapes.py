"""What is wrong with shapes that were drawn; in plain Python, since a bridge reads them, too."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

Point = tuple[float, float]

LEAST_AREA = 1e-6  # of a zone, where the image has 1: two pixels at 1080 lines
LEAST_LENGTH = 1e-3  # of a line, where the sides of the image have 1: two pixels at 1080 lines
LEAST_TRIANGLE = 1e-3  # of three of four points, where the square around all of them has 1


def polygon_problem(points: Sequence[Point]) -> str | None:
    """Return what is wrong with a zone, or None.

    Args:
        points: corners in order, in fractions of the image; the last one joins the first.
    """
    count = len(points)
    if count < 3:
        return f"a zone has three corners at least, not {count}"
    if problem := _outside(points):
        return problem
    others = combinations(points[1:], 2)
    if all(abs(_turned(points[0], *two)) / 2 < LEAST_AREA for two in others):
        return "its corners are on one line, so it has no area"
    return _crossing(points, [(number, (number + 1) % count) for number in range(count)])


def line_problem(start: Point, end: Point) -> str | None:
    """Return what is wrong with a line, or None.

    Args:
        start: in fractions of the image.
        end: likewise.
    """
    if problem := _outside((start, end)):
        return problem
    if max(abs(start[0] - end[0]), abs(start[1] - end[1])) < LEAST_LENGTH:
        return "start and end are the same point"
    return None


def ground_plane_problem(image: Sequence[Point], metres: Sequence[Point]) -> str | None:
    """Return why four points do not determine a ground plane, or None.

    Args:
        image: in fractions of the image.
        metres: the same points on the ground.
    """
    if len(image) != 4 or len(metres) != 4:
        return f"four points of each are needed, not {len(image)} and {len(metres)}"
    if problem := _outside(image):
        return problem
    triples = list(combinations(range(4), 3))
    for name, points in (("image", image), ("metres", metres)):
        width = max(max(one) - min(one) for one in zip(*points, strict=True))
        for one in triples:
            area = abs(_doubled_area([points[number] for number in one])) / 2
            if area <= LEAST_TRIANGLE * width**2:
                numbers = ", ".join(str(number + 1) for number in one)
                return f"the points {numbers} of {name} are on one line, or two are the same"
    # A camera above the ground sees every triangle of it turned the same way round, or all of them
    # the other way, since y grows downwards in an image.
    same = [_turn(image, one) == _turn(metres, one) for one in triples]
    if len(set(same)) > 1:
        return (
            "no camera sees these places like that: are the points of image and metres in the "
            "same order?"
        )
    return None


def _crossing(points: Sequence[Point], sides: Sequence[tuple[int, int]]) -> str | None:
    """Return which sides of a polygon have more in common than a corner, or None."""
    for a, b in sides:
        if points[a] == points[b]:
            return f"corners {a + 1} and {b + 1} are the same point"
    for (a, b), (c, d) in combinations(sides, 2):
        if len({a, b, c, d}) == 3:
            if _folds_back(points, (a, b), (c, d)):
                return f"it runs back along itself at corner {({a, b} & {c, d}).pop() + 1}"
        elif segments_touch(points[a], points[b], points[c], points[d]):
            return (
                f"it crosses itself: the side from corner {a + 1} to {b + 1} meets that from "
                f"{c + 1} to {d + 1}"
            )
    return None


def segments_touch(a: Point, b: Point, c: Point, d: Point) -> bool:
    """Return whether the segments from a to b and from c to d have a point in common."""
    turns = [_turned(*three) for three in ((a, b, c), (a, b, d), (c, d, a), (c, d, b))]
    if turns[0] * turns[1] < 0 and turns[2] * turns[3] < 0:
        return True
    ends = ((a, b, c), (a, b, d), (c, d, a), (c, d, b))
    return any(
        turn == 0 and _within(start, end, point)
        for turn, (start, end, point) in zip(turns, ends, strict=True)
    )


def _outside(points: Sequence[Point]) -> str | None:
    for number, (x, y) in enumerate(points, 1):
        if not (0 <= x <= 1 and 0 <= y <= 1):
            return (
                f"point {number} ({x:g}, {y:g}) is outside of the image: expected fractions of "
                "its width and height, from 0 to 1"
            )
    return None


def _doubled_area(points: Sequence[Point]) -> float:
    """Return twice the signed area of a polygon (shoelace formula)."""
    return sum(
        x * next_y - next_x * y
        for (x, y), (next_x, next_y) in zip(points, (*points[1:], points[0]), strict=True)
    )


def _folds_back(points: Sequence[Point], one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Return whether two sides with a common corner lie on each other."""
    (common,) = {*one} & {*other}
    (first,), (second,) = {*one} - {common}, {*other} - {common}
    corner, a, b = points[common], points[first], points[second]
    ahead = (a[0] - corner[0]) * (b[0] - corner[0]) + (a[1] - corner[1]) * (b[1] - corner[1])
    return _turned(corner, a, b) == 0 and ahead > 0


def _turn(points: Sequence[Point], three: Sequence[int]) -> bool:
    return _turned(*(points[number] for number in three)) > 0


def _turned(a: Point, b: Point, c: Point) -> float:
    """Return a number whose sign says to which side the way from a over b to c turns."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _within(a: Point, b: Point, point: Point) -> bool:
    """Return whether a point on the infinite line through a and b is between them."""
    return all(min(a[axis], b[axis]) <= point[axis] <= max(a[axis], b[axis]) for axis in (0, 1))
