"""Which crops become a clip."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from models.slowfast.zoo import slowfast_compact
from pipeline.stages.clip_sampling import sample_clip
from tests.training.factories import CROP, cached, small_model
from training.crops.clip_choice import (
    ViewChoice,
    centre,
    choose_frames,
    end_range_s,
    evaluation_clips,
    evaluation_ends_s,
    three_crops,
    time_grid,
)

GRID = time_grid(slowfast_compact(2).input_spec)


def times(count: int, fps: float = 10.0) -> np.ndarray:
    return np.arange(count) / fps


@pytest.mark.parametrize("fps", [10.0, 15.0, 29.97])
def test_a_long_track_is_sampled_as_the_pipeline_samples_it(fps: float) -> None:
    pts_s = times(int(5 * fps), fps)
    seen = pts_s[: int(4 * fps) + 1]
    chosen = choose_frames(pts_s, seen[-1], GRID)
    expected = sample_clip(seen, GRID)
    assert chosen is not None and expected is not None
    np.testing.assert_array_equal(chosen, expected)


def test_a_short_track_repeats_its_edges() -> None:
    pts_s = times(10)  # 0.9 s of a clip of 2 s
    chosen = choose_frames(pts_s, end_range_s(pts_s, GRID.span_s)[0], GRID)
    assert chosen is not None
    counts = Counter(chosen.tolist())
    assert counts[0] > 3
    assert counts[9] > 3
    assert len(counts) > 5  # and what lies between is seen once
    assert (np.diff(chosen) >= 0).all()


def test_a_long_gap_gives_no_clip() -> None:
    pts_s = times(40)
    assert choose_frames(pts_s[(pts_s < 1.5) | (pts_s > 2.5)], 3.0, GRID) is None


def test_higher_speed_reaches_further_back() -> None:
    slow, fast = (choose_frames(times(60), 5.0, GRID, speed) for speed in (0.8, 1.2))
    assert slow is not None and fast is not None
    assert fast[0] < slow[0]


def test_evaluation_takes_a_clip_every_half_second() -> None:
    np.testing.assert_allclose(evaluation_ends_s(times(36), GRID), [2.0, 2.5, 3.0, 3.5])
    assert len(evaluation_ends_s(times(5), GRID)) == 1


def test_the_clips_of_evaluation_fit_the_network(tmp_path: Path) -> None:
    clips = evaluation_clips(cached(tmp_path, "walk", 100), small_model().input_spec)
    assert [clip.shape for clip in clips] == [(16, CROP, CROP, 3)] * 2
    assert clips[0].dtype == np.uint8


def test_a_person_seen_only_with_gaps_is_still_evaluated(tmp_path: Path) -> None:
    person = cached(tmp_path, "walk", 100, fps=1.5)  # two thirds of a second between two crops
    assert choose_frames(person.pts_s, person.pts_s[-1], GRID) is None
    assert len(evaluation_clips(person, small_model().input_spec)) > 0


def test_ten_views_with_three_crops_are_spread_over_a_track(tmp_path: Path) -> None:
    ends = evaluation_ends_s(times(36), GRID, views=10)
    np.testing.assert_allclose(ends, np.linspace(2.0, 3.5, 10))
    assert evaluation_ends_s(times(36), GRID, views=1) == [2.75]
    assert len(evaluation_ends_s(times(5), GRID, views=10)) == 10
    spec = small_model().input_spec
    track = cached(tmp_path, "walk", 100)
    clips = evaluation_clips(track, spec, ViewChoice(views=10, crops=3))
    assert len(clips) == 30
    assert {clip.shape for clip in clips} == {(spec.clip_len, spec.crop_size, spec.crop_size, 3)}


def test_three_crops_are_left_middle_and_right() -> None:
    crops = np.zeros((2, 10, 10, 3), np.uint8)
    crops[:] = np.arange(10, dtype=np.uint8)[None, None, :, None]
    left, middle, right = three_crops(crops, 6)
    assert [int(crop[0, 0, 0, 0]) for crop in (left, middle, right)] == [0, 2, 4]
    assert np.array_equal(middle, centre(crops, 6))
