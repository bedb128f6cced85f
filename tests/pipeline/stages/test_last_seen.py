"""What is kept of a person: a second, and not more."""

from __future__ import annotations

import numpy as np
import pytest

from models.boxes import FloatArray
from pipeline.stages.last_seen import LastSeen
from pipeline.types import TrackedPerson

WH = (320, 240)


def person(x: float, y: float = 120.0, feature: FloatArray | None = None) -> TrackedPerson:
    """Centred at x, y; 24 wide and 60 high."""
    xyxy = np.array([x - 12, y - 30, x + 12, y + 30], np.float32)
    return TrackedPerson(1, xyxy, 0.9, feature=feature)


def walk(x: float, speed: float, *, seconds: float = 2.0, fps: float = 10.0) -> LastSeen:
    seen = LastSeen()
    for n in range(round(seconds * fps) + 1):
        seen.add(n / fps, person(x + speed * n / fps))
    return seen


@pytest.mark.parametrize("fps", [5.0, 10.0, 30.0])
def test_who_walks_is_expected_further_on_at_every_frame_rate(fps: float) -> None:
    motion = walk(60, 40, fps=fps).motion()
    assert motion.length == 60
    assert motion.centre_at(3.0) == pytest.approx([180, 120], abs=0.01)


def test_the_velocity_is_that_of_the_newest_second() -> None:
    seen = walk(60, 40)
    for n in range(1, 12):
        seen.add(2 + n / 10, person(140))
    assert seen.motion().centre_at(5.0) == pytest.approx([140, 120], abs=0.01)
    assert seen.life_s == pytest.approx(3.1)


def test_who_was_seen_for_a_moment_is_expected_where_they_were() -> None:
    seen = LastSeen()
    for n, x in enumerate((100, 110)):  # a box that jumps
        seen.add(n / 10, person(x))
    assert seen.motion().centre_at(2.0) == pytest.approx([110, 120])


@pytest.mark.parametrize(
    ("x", "speed", "later_s", "has_left"),
    [
        (160, 0, 2.0, False),
        (60, -40, 0.1, True),  # at -20
        (93, -40, 0.1, True),  # at 13: cut off by the edge, on the way out
        (13, 0, 2.0, False),  # stands at the edge
        (13, 40, 0.1, False),  # came in there
        (230, 40, 1.0, True),  # at 310 to 320, and further
    ],
)
def test_who_walks_out_of_the_image_has_left(
    x: float, speed: float, later_s: float, has_left: bool
) -> None:
    assert walk(x, speed).motion().has_left(2.0 + later_s, WH) is has_left


def test_the_mean_appearance_follows_the_newest_second_and_holds_no_frame() -> None:
    red, blue = np.array([1, 0, 0], np.float32), np.array([0, 0, 1], np.float32)
    batch = np.stack([red, blue])
    seen = LastSeen()
    seen.add(0.0, person(100, feature=batch[0]))
    assert seen.feature is not None
    assert seen.feature.base is None
    seen.add(0.1, person(100, feature=blue))
    assert seen.feature.tolist() == [0.5, 0.0, 0.5]
    for n in range(2, 60):
        seen.add(n / 10, person(100, feature=blue))
    assert seen.feature @ blue > 0.99
    assert batch.tolist() == [[1, 0, 0], [0, 0, 1]]
