from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.stages.clip_sampling import ClipSpec, ClipWindow, crop_person, sample_clip

# 4 points, 0.1 s apart: a clip of 0.3 s
SPEC = ClipSpec(clip_len=4, interval_s=0.1, crop_size=32, crop_margin=0.25, max_gap_s=0.25)


def sample(*pts_s: float) -> list[int] | None:
    chosen = sample_clip(np.array(pts_s), SPEC)
    return None if chosen is None else chosen.tolist()


def test_a_camera_at_the_grids_rate_gives_every_frame() -> None:
    # frames  0    .1   .2   .3
    # grid    0    .1   .2   .3
    assert sample(0.0, 0.1, 0.2, 0.3) == [0, 1, 2, 3]


def test_a_camera_twice_as_fast_gives_every_second_frame() -> None:
    assert sample(*np.arange(7) * 0.05) == [0, 2, 4, 6]


def test_a_camera_half_as_fast_gives_every_frame_twice() -> None:
    # frames  -.1       .1        .3
    # grid         0    .1   .2   .3
    chosen = sample(-0.1, 0.1, 0.3)
    assert chosen is not None
    assert chosen[-1] == 2
    assert sorted(set(chosen)) == [0, 1, 2] or sorted(set(chosen)) == [1, 2]


def test_the_grid_ends_at_the_newest_frame() -> None:
    assert sample(0.0, 0.1, 0.2, 0.3, 0.4) == [1, 2, 3, 4]


def test_too_short_a_history_gives_no_clip() -> None:
    assert sample(0.1, 0.2, 0.3) is None
    assert sample(0.3) is None
    assert sample() is None


def test_a_long_gap_gives_no_clip() -> None:
    assert sample(0.0, 0.01, 0.3) is None


def test_a_long_gap_before_the_clip_does_not_matter() -> None:
    assert sample(-5.0, 0.0, 0.1, 0.2, 0.3) == [1, 2, 3, 4]


def test_a_dropped_frame_is_replaced_by_its_neighbour_and_the_speed_stays() -> None:
    # frames  0    .1        .3   (0.2 is missing)
    chosen = sample(0.0, 0.1, 0.3)
    assert chosen is not None
    assert (chosen[0], chosen[1], chosen[3]) == (0, 1, 2)


@pytest.mark.parametrize("fps", [10.0, 12.5, 15.0, 25.0, 29.97, 30.0, 50.0, 60.0])
def test_every_frame_rate_gives_the_same_time_span(fps: float) -> None:
    spec = ClipSpec(clip_len=32, interval_s=2 / 30, crop_size=8, crop_margin=0, max_gap_s=0.5)
    pts_s = np.arange(int(4 * fps)) / fps
    chosen = sample_clip(pts_s, spec)
    assert chosen is not None
    assert len(chosen) == 32
    span_s = pts_s[chosen[-1]] - pts_s[chosen[0]]
    assert span_s == pytest.approx(62 / 30, abs=0.5 / fps + 1e-9)


@settings(suppress_health_check=[HealthCheck.too_slow])  # inputs, on a busy machine
@given(
    fps=st.floats(8, 60),
    jitter=st.lists(st.floats(-0.4, 0.4), min_size=300, max_size=300),
    dropped=st.sets(st.integers(0, 299), max_size=60),
)
def test_every_chosen_frame_is_the_nearest_to_its_grid_point(
    fps: float, jitter: list[float], dropped: set[int]
) -> None:
    pts_s = np.array([(n + jitter[n]) / fps for n in range(300) if n not in dropped])
    spec = ClipSpec(clip_len=16, interval_s=4 / 30, crop_size=8, crop_margin=0, max_gap_s=9.0)
    chosen = sample_clip(pts_s, spec)
    assert chosen is not None
    grid_s = pts_s[-1] - spec.interval_s * np.arange(16)[::-1]
    best_s = np.abs(pts_s[None, :] - grid_s[:, None]).min(axis=1)
    assert np.abs(pts_s[chosen] - grid_s) == pytest.approx(best_s, abs=1e-12)


def test_the_crop_is_a_square_around_the_box_with_its_margin() -> None:
    image = np.zeros((100, 100, 3), np.uint8)
    image[30:70, 40:60] = 255  # a person 20 wide, 40 high, centred at (50, 50)
    crop = crop_person(image, np.array([40, 30, 60, 70], np.float32), size=60, margin=0.25)
    # side 40 * 1.5 = 60: from 20 to 80, so the person is at 20..40 and 10..50
    assert crop.shape == (60, 60, 3)
    rows, columns = np.nonzero(crop[..., 0])
    assert (rows.min(), rows.max()) == (10, 49)
    assert (columns.min(), columns.max()) == (20, 39)


def test_a_crop_over_the_edge_repeats_the_border() -> None:
    image = np.zeros((50, 50, 3), np.uint8)
    image[:, 0] = 200
    crop = crop_person(image, np.array([0, 10, 10, 40], np.float32), size=45, margin=0.25)
    assert (crop[20, :15] == 200).all()  # all that lies left of the image


@settings(suppress_health_check=[HealthCheck.too_slow])  # inputs, on a busy machine
@given(
    st.tuples(st.floats(-20, 60), st.floats(-20, 60), st.floats(1, 90), st.floats(1, 90)).filter(
        lambda b: b[0] + b[2] > 1 and b[1] + b[3] > 1 and b[0] < 63 and b[1] < 47
    )
)
def test_every_box_that_touches_the_image_gives_a_crop(ltwh: tuple[float, ...]) -> None:
    left, top, width, height = ltwh
    box = np.array([left, top, left + width, top + height], np.float32)
    crop = crop_person(np.zeros((48, 64, 3), np.uint8), box, size=16, margin=0.25)
    assert crop.shape == (16, 16, 3)


def window_of(
    pts_s: list[float], stride_s: float = 0.0
) -> tuple[ClipWindow[int], list[int] | None]:
    """A window after samples 0, 1, 2, ... at these times, and the clip at the last one."""
    window = ClipWindow[int](SPEC, stride_s=0.0)
    clip = None
    for n, at_s in enumerate(pts_s):
        if window.wants(at_s):
            window.add(at_s, n)
            clip = window.cut()
    return window, clip


def test_a_window_cuts_a_clip_as_soon_as_it_covers_the_grid() -> None:
    times_s = [n * SPEC.interval_s for n in range(SPEC.clip_len)]
    assert window_of(times_s[:-1])[1] is None
    assert window_of(times_s)[1] == list(range(SPEC.clip_len))


def test_a_window_cuts_one_clip_per_stride() -> None:
    window = ClipWindow[int](SPEC, stride_s=3 * SPEC.interval_s)
    ends = []
    for n in range(SPEC.clip_len + 9):
        window.add(n * SPEC.interval_s, n)
        if window.cut() is not None:
            ends.append(n - SPEC.clip_len + 1)
    assert ends == [0, 3, 6, 9]


def test_a_window_drops_what_no_clip_can_use() -> None:
    window, _ = window_of([n * SPEC.interval_s for n in range(10 * SPEC.clip_len)])
    assert len(window) <= SPEC.clip_len + 2


def test_a_window_keeps_a_bounded_rate_of_a_fast_camera() -> None:
    window, clip = window_of([n / 1000 for n in range(round(3000 * SPEC.span_s))])
    assert len(window) <= 5 * (SPEC.clip_len + 2)
    assert clip is not None


def test_too_long_a_gap_empties_the_window() -> None:
    window = ClipWindow[int](SPEC, stride_s=0.0)
    window.add(0.0, 0)
    assert window.wants(SPEC.max_gap_s)
    assert len(window) == 1
    assert window.wants(SPEC.max_gap_s + 0.01)
    assert len(window) == 0
