"""Which frames get key points, and whose they are."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from models.boxes import FloatArray
from models.pose.key_points import KeyPoints, not_found
from pipeline.stages.pose import estimate_poses
from pipeline.types import Image, StreamEnd, TrackedFrame
from tests.conftest import make_frame, make_tracked


class LeftEdges:
    """Puts every key point at the left edge of its box, and counts its calls."""

    calls = 0

    def estimate(self, image: Image, xyxy: FloatArray) -> KeyPoints:
        self.calls += 1
        points = not_found(len(xyxy))
        points[:, :, 0] = xyxy[:, :1]
        return points


def frames(
    count: int, *, camera: str = "gate", people: Sequence[int] = (4, 9)
) -> list[TrackedFrame]:
    return [make_tracked(make_frame(n, camera_id=camera), people) for n in range(count)]


def posed(items: Sequence[TrackedFrame | StreamEnd]) -> list[bool]:
    return [
        one.people[0].key_points is not None
        for one in items
        if isinstance(one, TrackedFrame) and one.people
    ]


def test_every_person_gets_the_points_of_their_box() -> None:
    [item] = estimate_poses(frames(1), LeftEdges(), 10.0)
    assert isinstance(item, TrackedFrame)
    for person in item.people:
        assert person.key_points is not None
        assert person.key_points.shape == (17, 3)
        assert (person.key_points[:, 0] == person.xyxy[0]).all()


@pytest.mark.parametrize(("fps", "every"), [(100.0, 1), (10.0, 1), (5.0, 2), (4.0, 3)])
def test_the_rate_is_bounded_in_seconds_not_in_frames(fps: float, every: int) -> None:
    items = list(estimate_poses(frames(9), LeftEdges(), fps))  # 10 frames per second
    assert posed(items) == [n % every == 0 for n in range(9)]


def test_cameras_are_paced_apart_and_a_camera_without_people_costs_nothing() -> None:
    estimator = LeftEdges()
    gate, yard = frames(3), frames(3, camera="yard")
    empty = frames(3, camera="roof", people=())
    mixed = [one for row in zip(gate, yard, empty, strict=True) for one in row]
    assert posed(list(estimate_poses(mixed, estimator, 1.0))) == [True, True] + 4 * [False]
    assert estimator.calls == 2


def test_a_camera_that_returns_is_estimated_at_once_and_ends_keep_their_place() -> None:
    one = frames(1)
    items = list(estimate_poses([*one, StreamEnd("gate"), *one], LeftEdges(), 1.0))
    assert isinstance(items[1], StreamEnd)
    assert posed(items) == [True, True]
