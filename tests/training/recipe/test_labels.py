"""Walking and standing from paths."""

from __future__ import annotations

import numpy as np
import pytest

from tests.training.factories import path_of
from training.recipe.labels import SMOOTH_S, STAND_BELOW, WALK_ABOVE, body_speed, speed_runs


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


def test_a_short_run_is_left_out() -> None:
    speed = np.array([0.9] * 40 + [0.0] * 10)
    assert speed_runs(speed, np.arange(50) / 10, min_span_s=2.0) == [("walk", slice(0, 40))]


def test_somebody_who_stops_is_seen_to_stop_within_the_smoothing() -> None:
    walking = path_of(0.8, count=50)
    stopped = np.repeat(walking.xyxy[-1:], 50, axis=0)
    speed = body_speed(np.arange(100) / 10, np.concatenate([walking.xyxy, stopped]))
    margin = round(10 * SMOOTH_S / 2) + 1
    assert speed[: 50 - margin].min() > WALK_ABOVE
    assert speed[50 + margin :].max() < STAND_BELOW
