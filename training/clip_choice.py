"""Which two seconds of a cached track become a clip, in training and in evaluation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from models.input_spec import InputSpec
from pipeline.clip_sampling import ClipSpec, sample_clip
from training.clip_cache import CachedTrack

MAX_GAP_S = 0.5
EVALUATION_STRIDE_S = 0.5
# In ut_interaction people stand before and after they act; the middle of a clip's window stays
# within this part of the video.
ACTION_PART = (0.3, 0.7)

Times = NDArray[np.float64]


def time_grid(spec: InputSpec) -> ClipSpec:
    """The time grid of a recognizer's clips."""
    return ClipSpec(spec.clip_len, spec.interval_s, spec.crop_size, spec.crop_margin, MAX_GAP_S)


def end_range_s(track: CachedTrack, span_s: float) -> tuple[float, float]:
    """First and last moment at which a clip of `span_s` seconds may end.

    A track shorter than the clip has one moment: the clip's middle is the track's.
    """
    first, last = track.pts_s[0], track.pts_s[-1]
    if last - first <= span_s:
        middle_end = (first + last + span_s) / 2
        return middle_end, middle_end
    earliest, latest = first + span_s, last
    if track.dataset == "ut_interaction":
        low, high = (first + part * (last - first) + span_s / 2 for part in ACTION_PART)
        earliest, latest = max(earliest, min(low, latest)), min(latest, max(high, earliest))
    return earliest, latest


def choose_frames(
    track: CachedTrack, end_s: float, grid: ClipSpec, speed: float = 1.0
) -> NDArray[np.intp] | None:
    """The crops of the clip that ends at `end_s`, chosen by the pipeline's own rule.

    Where the clip reaches beyond the track, the track's first or last crop is repeated. Only
    training does that: the live pipeline waits for enough frames.

    Args:
        track: of at least two crops.
        end_s: on the clock of the video.
        grid: of the clip.
        speed: above 1 shows the person faster than it was.

    Returns:
        int (clip_len,) rows of the track's crops, or None if a hole is too long.
    """
    pts_s = np.array(track.pts_s)
    step_s = grid.interval_s / 2
    before = pts_s[0] - step_s * np.arange(1, 2 * grid.clip_len + 2)[::-1]
    after = pts_s[-1] + step_s * np.arange(1, 2 * grid.clip_len + 2)
    padded = np.concatenate([before, pts_s, after])
    reached = padded[: np.searchsorted(padded, end_s + 1e-6, side="right")]
    chosen = sample_clip(reached, replace(grid, interval_s=grid.interval_s * speed))
    return None if chosen is None else (chosen - len(before)).clip(0, len(pts_s) - 1)


def evaluation_ends_s(track: CachedTrack, grid: ClipSpec) -> Times:
    """Where the clips of a held-out track end: every half second."""
    earliest, latest = end_range_s(track, grid.span_s)
    return np.arange(earliest, latest + 1e-6, EVALUATION_STRIDE_S)


def draw_tracks(tracks: Sequence[CachedTrack], rng: np.random.Generator) -> Iterator[CachedTrack]:
    """Draw without end, every class equally likely, and in a class every data set.

    Args:
        tracks: to draw from, with replacement.
        rng: of the draw.
    """
    pools: dict[str, dict[str, list[CachedTrack]]] = defaultdict(lambda: defaultdict(list))
    for track in tracks:
        pools[track.label][track.dataset].append(track)
    classes = [
        [by_dataset[name] for name in sorted(by_dataset)] for _, by_dataset in sorted(pools.items())
    ]
    while True:
        datasets = classes[rng.integers(len(classes))]
        pool = datasets[rng.integers(len(datasets))]
        yield pool[rng.integers(len(pool))]
