"""Which crops become a clip."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest

from models.architectures import slowfast_compact
from pipeline.clip_sampling import sample_clip
from tests.training.factories import listed
from training.clip_choice import (
    choose_frames,
    draw_tracks,
    end_range_s,
    evaluation_ends_s,
    time_grid,
)

GRID = time_grid(slowfast_compact(2).input_spec)


@pytest.mark.parametrize("fps", [10.0, 15.0, 29.97])
def test_a_long_track_is_sampled_as_the_pipeline_samples_it(fps: float) -> None:
    track = listed(count=int(5 * fps), fps=fps)
    newest = int(4 * fps)
    pts_s = np.array(track.pts_s[: newest + 1])
    chosen = choose_frames(track, pts_s[-1], GRID)
    expected = sample_clip(pts_s, GRID)
    assert chosen is not None and expected is not None
    np.testing.assert_array_equal(chosen, expected)


def test_a_short_track_repeats_its_edges() -> None:
    track = listed(count=10)  # 0.9 s of a clip of 2 s
    chosen = choose_frames(track, end_range_s(track, GRID.span_s)[0], GRID)
    assert chosen is not None
    counts = Counter(chosen.tolist())
    assert counts[0] > 3
    assert counts[9] > 3
    assert len(counts) > 5  # and what lies between is seen once
    assert (np.diff(chosen) >= 0).all()


def test_a_long_hole_gives_no_clip() -> None:
    track = listed(count=40)
    gone = replace(track, pts_s=tuple(t for t in track.pts_s if not 1.5 < t < 2.5))
    assert choose_frames(gone, 3.0, GRID) is None


def test_higher_speed_reaches_further_back() -> None:
    track = listed(count=60)
    slow, fast = (choose_frames(track, 5.0, GRID, speed) for speed in (0.8, 1.2))
    assert slow is not None and fast is not None
    assert fast[0] < slow[0]


def test_clips_of_interactions_show_the_middle_of_the_video() -> None:
    track = listed(dataset="ut_interaction", count=100)  # 9.9 s
    for end_s in end_range_s(track, GRID.span_s):
        assert 0.3 <= (end_s - GRID.span_s / 2) / 9.9 <= 0.7
    whole = listed(count=100)
    assert end_range_s(whole, GRID.span_s) == pytest.approx((2.0, 9.9))


def test_evaluation_takes_a_clip_every_half_second() -> None:
    np.testing.assert_allclose(evaluation_ends_s(listed(count=36), GRID), [2.0, 2.5, 3.0, 3.5])
    assert len(evaluation_ends_s(listed(count=5), GRID)) == 1


def test_rare_classes_and_data_sets_are_drawn_as_often_as_frequent_ones() -> None:
    tracks = [listed("walk", dataset="a")] * 90 + [listed("walk", dataset="b")] * 10
    tracks += [listed("hug", dataset="a")] * 2
    drawn = islice(draw_tracks(tracks, np.random.default_rng(0)), 2000)
    shares = Counter((track.label, track.dataset) for track in drawn)
    assert shares["hug", "a"] / 2000 == pytest.approx(0.5, abs=0.05)
    assert shares["walk", "b"] / 2000 == pytest.approx(0.25, abs=0.05)
