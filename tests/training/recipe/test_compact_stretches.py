"""Which people of a video are trained on, with which label, and between which times."""

from __future__ import annotations

import numpy as np
import pytest

from tests.training.factories import path_of
from training.crops.person_tracks import PersonTrack
from training.recipe.compact_sources import Rule
from training.recipe.compact_stretches import (
    SMOOTH_S,
    STAND_BELOW,
    WALK_ABOVE,
    Stretch,
    body_speed,
    people_of,
    speed_runs,
)

TIMES = np.arange(40) / 10


def trained_on(
    *tracks: PersonTrack, label: str = "", rule: Rule = "as labelled", times: object = TIMES
) -> list[Stretch]:
    return people_of(list(tracks), np.asarray(times), label=label, rule=rule)


def test_of_a_fight_only_people_close_to_another_are_trained_on() -> None:
    left, right = path_of(0.0), path_of(0.0, start_x=45.0)
    bystander = path_of(0.0, start_x=600.0)
    assert [one.track for one in trained_on(left, bystander, right, label="fight")] == [left, right]


def test_who_is_seen_alone_in_a_fight_fights() -> None:
    alone = path_of(0.0)
    assert [one.track for one in trained_on(alone, label="fight")] == [alone]


def test_in_everyday_clips_who_clearly_walks_is_a_walker() -> None:
    stretches = trained_on(path_of(0.8), path_of(0.0, start_x=600.0), label="nothing")
    assert [one.label for one in stretches] == ["walk", "nothing"]


def test_of_an_interaction_its_middle_is_trained_on() -> None:
    times = np.arange(60) / 10
    (one,) = trained_on(path_of(0.0, count=60), label="hug", times=times)
    middles = one.start_s + 1.0, one.end_s - 1.0  # of the first and the last clip of two seconds
    assert middles == pytest.approx((0.3 * 5.9, 0.7 * 5.9))


def test_by_speed_people_walk_or_stand_and_in_between_they_teach_nothing() -> None:
    people = path_of(0.8), path_of(0.28), path_of(0.05)
    assert [one.label for one in trained_on(*people, rule="by speed")] == ["walk", "stand"]


def test_who_walks_towards_the_camera_does_not_stand() -> None:
    still = path_of(0.0)
    growing = still.xyxy.copy()
    growing[:, 1] -= 5.0 * np.arange(len(still))  # the feet stay where they are
    assert not trained_on(PersonTrack(still.frames, growing), rule="by speed")


@pytest.mark.parametrize("seen", [path_of(0.0, count=10), path_of(0.0, height=20.0)])
def test_a_person_seen_too_shortly_or_too_small_is_skipped(seen: PersonTrack) -> None:
    assert not trained_on(seen, label="nothing")


@pytest.mark.parametrize("fps", [10.0, 25.0])
@pytest.mark.parametrize("height", [60.0, 300.0])
def test_speed_is_in_body_heights_per_second_at_every_frame_rate(fps: float, height: float) -> None:
    track = path_of(0.8, fps=fps, height=height)
    speed = body_speed(track.frames / fps, track.xyxy)
    np.testing.assert_allclose(speed, 0.8, atol=1e-3)


def test_a_trembling_box_stands() -> None:
    track = path_of(0.0, count=60)
    trembling = track.xyxy + np.random.default_rng(0).normal(0, 3, (60, 1)).astype(np.float32)
    speed = body_speed(track.frames / 10, trembling)
    assert np.median(speed) < STAND_BELOW


def test_runs_are_labelled_and_slow_steps_belong_to_none() -> None:
    speed = np.array([0.0] * 30 + [0.3] * 10 + [0.9] * 40)
    runs = speed_runs(speed, np.arange(80) / 10, min_span_s=2.0)
    assert runs == [("stand", slice(0, 30)), ("walk", slice(40, 80))]


def test_a_short_run_is_skipped() -> None:
    speed = np.array([0.9] * 40 + [0.0] * 10)
    assert speed_runs(speed, np.arange(50) / 10, min_span_s=2.0) == [("walk", slice(0, 40))]


def test_a_person_who_stops_is_seen_to_stop_within_the_smoothing() -> None:
    walking = path_of(0.8, count=50)
    stopped = np.repeat(walking.xyxy[-1:], 50, axis=0)
    speed = body_speed(np.arange(100) / 10, np.concatenate([walking.xyxy, stopped]))
    margin = round(10 * SMOOTH_S / 2) + 1
    assert speed[: 50 - margin].min() > WALK_ABOVE
    assert speed[50 + margin :].max() < STAND_BELOW
