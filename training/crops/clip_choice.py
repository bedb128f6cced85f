"""Which times of a cached track become a clip, in training and in evaluation."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.slowfast.input_spec import InputSpec
from pipeline.stages.clip_sampling import ClipSpec, sample_clip
from training.crops.crop_cache import CachedTrack, Crops, read_crops

MAX_GAP_S = 0.5  # as clip.max_gap_s of the pipeline
EVALUATION_STRIDE_S = 0.5  # as clip.stride_s of the pipeline

Times = NDArray[np.float64]


def time_grid(spec: InputSpec) -> ClipSpec:
    """Return the time grid of a recognizer's clips."""
    return ClipSpec(spec.clip_len, spec.interval_s, spec.crop_size, spec.crop_margin, MAX_GAP_S)


def end_range_s(pts_s: Times, span_s: float) -> tuple[float, float]:
    """Return the first and last time, in seconds, at which a clip of `span_s` seconds may end.

    A track shorter than the clip has one end: the clip's middle is the track's.
    """
    first, last = float(pts_s[0]), float(pts_s[-1])
    if last - first <= span_s:
        middle_end = (first + last + span_s) / 2
        return middle_end, middle_end
    return first + span_s, last


def choose_frames(
    pts_s: Times, end_s: float, grid: ClipSpec, speed: float = 1.0
) -> NDArray[np.intp] | None:
    """Choose the crops of the clip that ends at `end_s`, by the pipeline's own rule.

    Where the clip reaches beyond the track, the track's first or last crop is repeated. Only
    training does that: the live pipeline waits for enough frames.

    Args:
        pts_s: float64 (N,) times of a track's crops, N >= 2.
        end_s: on the clock of the video.
        grid: of the clip.
        speed: above 1 shows the person faster than it was.

    Returns:
        int (clip_len,) rows of the track's crops, or None if a gap is too long.
    """
    step_s = grid.interval_s / 2
    before = pts_s[0] - step_s * np.arange(1, 2 * grid.clip_len + 2)[::-1]
    after = pts_s[-1] + step_s * np.arange(1, 2 * grid.clip_len + 2)
    padded = np.concatenate([before, pts_s, after])
    reached = padded[: np.searchsorted(padded, end_s + 1e-6, side="right")]
    chosen = sample_clip(reached, replace(grid, interval_s=grid.interval_s * speed))
    return None if chosen is None else (chosen - len(before)).clip(0, len(pts_s) - 1)


@dataclass(frozen=True, slots=True)
class ViewChoice:
    """Which views of a person are scored and averaged."""

    views: int | None = None  # points in time, evenly spread; None: every half second
    crops: int = 1  # 1: the middle; 3: also to the left and the right of it


def evaluation_ends_s(pts_s: Times, grid: ClipSpec, views: int | None = None) -> Times:
    """Return where the clips of a track end in evaluation: float64 (M,).

    Args:
        pts_s: of the track's crops.
        grid: of a clip.
        views: M, evenly spread; None: every half second.
    """
    earliest, latest = end_range_s(pts_s, grid.span_s)
    if views is not None:
        middle = (earliest + latest) / 2
        return np.linspace(earliest, latest, views) if views > 1 else np.array([middle])
    return np.arange(earliest, latest + 1e-6, EVALUATION_STRIDE_S)


def evaluation_clip_ends_s(track: CachedTrack, spec: InputSpec) -> Times:
    """Return where the clips of `evaluation_clips` end: float64 (M,), M >= 1."""
    grid = time_grid(spec)
    for one in (grid, replace(grid, max_gap_s=np.inf)):
        ends_s = evaluation_ends_s(track.pts_s, one)
        there = [choose_frames(track.pts_s, float(end_s), one) is not None for end_s in ends_s]
        if any(there):
            return np.asarray(ends_s[there])
    raise AssertionError("without a limit of gaps every clip is there")


def evaluation_clips(
    track: CachedTrack, spec: InputSpec, choice: ViewChoice | None = None
) -> list[Crops]:
    """Cut the views of a track in evaluation: every half second, cropped as in the pipeline.

    A track all of whose clips have a gap is shown with its gaps, as in training: its nearest
    crops are better than none of this person.

    Args:
        track: cut for this input: same crop size and margin.
        spec: of the recognizer.
        choice: other views.

    Returns:
        uint8 (clip_len, S, S, 3) BGR each, at least one; the crops of a time one after the other.
    """
    choice = choice or ViewChoice()
    grid = time_grid(spec)
    chosen = _chosen_rows(track.pts_s, grid, choice.views)
    if not chosen:
        chosen = _chosen_rows(track.pts_s, replace(grid, max_gap_s=np.inf), choice.views)
    wide = [read_crops(track, rows) for rows in chosen]
    if choice.crops == 1:
        return [centre(crops, spec.crop_size) for crops in wide]
    return [view for crops in wide for view in three_crops(crops, spec.crop_size)]


def _chosen_rows(pts_s: Times, grid: ClipSpec, views: int | None) -> list[NDArray[np.intp]]:
    ends_s = evaluation_ends_s(pts_s, grid, views)
    chosen = (choose_frames(pts_s, float(end_s), grid) for end_s in ends_s)
    return [rows for rows in chosen if rows is not None]


def three_crops(crops: Crops, size: int) -> list[Crops]:
    """Cut out left, middle and right: uint8 (T, C, C, 3) -> three (T, size, size, 3)."""
    free = crops.shape[1] - size
    top = free // 2
    return [
        crops[:, top : top + size, left : left + size] for left in (0, free // 2, 2 * (free // 2))
    ]


def centre(crops: Crops, size: int) -> Crops:
    """Cut out the live pipeline's view: uint8 (T, C, C, 3) -> (T, size, size, 3)."""
    offset = (crops.shape[1] - size) // 2
    return crops[:, offset : offset + size, offset : offset + size]
