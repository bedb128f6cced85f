"""Falls and lying people by rules, on stick figures."""

from __future__ import annotations

import numpy as np
import pytest

from models.skeleton.posture import PostureRecognizer, ramp
from models.skeleton.skeleton_clip import SkeletonClip
from tests.models.skeleton.people import BODY, between, clip_of

FALLING = clip_of(lambda t: {"tilt_deg": 90 * between(t, 1.0, 1.7)})
LYING = clip_of(lambda t: {"tilt_deg": 90})


def scores(clip: SkeletonClip) -> tuple[float, float]:
    fall, lying = PostureRecognizer().predict([clip])[0].tolist()
    return fall, lying


def without_points(clip: SkeletonClip, since: int = 0) -> SkeletonClip:
    points = clip.key_points.copy()
    points[:, since:] = 0
    return SkeletonClip(points, clip.xyxy)


def test_a_fall_to_the_side_is_a_fall_and_not_yet_lying() -> None:
    fall, lying = scores(FALLING)
    assert fall > 0.9
    assert lying == 0


@pytest.mark.parametrize("since", [0, 17])
def test_the_box_alone_shows_a_fall_where_key_points_are_missing(since: int) -> None:
    assert scores(without_points(FALLING, since))[0] > 0.8


def test_who_lies_from_the_beginning_does_not_fall() -> None:
    fall, lying = scores(LYING)
    assert fall == 0
    assert lying > 0.9


def test_size_and_place_in_the_image_change_nothing() -> None:
    larger = SkeletonClip(FALLING.key_points * np.float32([3, 3, 1]), FALLING.xyxy * 3)
    assert scores(larger) == pytest.approx(scores(FALLING), abs=1e-4)


@pytest.mark.parametrize(
    "pose",
    [
        lambda t: {},
        lambda t: {"at": (100 + 300 * t, 400)},  # runs by
        lambda t: {"squat": between(t, 1.0, 1.6)},  # squats down quickly
        lambda t: {"tilt_deg": 90 * between(t, 0.0, 2.4)},  # lies down slowly
        lambda t: {"tilt_deg": 80 * (between(t, 0.6, 1.2) - between(t, 1.4, 2.0))},  # bows, rises
        lambda t: {"at": (400, 400 - 150 * (between(t, 0.8, 1.0) - between(t, 1.0, 1.2)))},  # jumps
    ],
)
def test_everyday_movement_is_no_fall(pose) -> None:  # type: ignore[no-untyped-def]
    assert scores(clip_of(pose))[0] < 0.3


def test_who_crawls_does_not_lie_still() -> None:
    assert scores(clip_of(lambda t: {"tilt_deg": 90, "at": (400 + 0.4 * BODY * t, 400)}))[1] == 0


def test_a_fall_scores_from_its_end_until_the_drop_leaves_the_clip() -> None:
    still_falling = clip_of(lambda t: {"tilt_deg": 90 * between(t, 2.0, 2.7)})
    long_ago = clip_of(lambda t: {"tilt_deg": 90 * between(t, -1.0, -0.3)})
    assert scores(still_falling)[0] < 0.5
    assert scores(long_ago)[0] == 0


def test_boxes_and_points_without_sense_give_finite_scores() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(0, 1e4, (1, 25, 17, 3)).astype(np.float32)
    empty = np.zeros((1, 25, 4), np.float32)
    for clip in (SkeletonClip(points, empty), SkeletonClip(points * np.nan, empty)):
        found = PostureRecognizer().predict([clip])
        assert ((found >= 0) & (found <= 1)).all()


def test_no_clips_give_no_scores() -> None:
    assert PostureRecognizer().predict([]).shape == (0, 2)


def test_a_ramp_may_fall() -> None:
    np.testing.assert_allclose(ramp(np.array([0.0, 2.0, 5.0, np.nan]), (4, 0)), [1, 0.5, 0, 0])
