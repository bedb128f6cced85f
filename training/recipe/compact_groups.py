"""Choose the groups of a video to train on: fights and interactions, and groups that do nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.stages.groups import GroupSpec, GroupTracker
from training.crops.person_tracks import PersonTrack
from training.recipe.compact_stretches import ACTED_PART, CLIP_SPAN_S, INTERACTIONS, TOGETHER

NOTHING = "nothing"
MIN_SPAN_S = 0.5  # of people being together


@dataclass(frozen=True, slots=True, eq=False)
class GroupStretch:
    """People who are together do one thing."""

    label: str
    members: tuple[PersonTrack, ...]  # their frames are indices of the sampled frames
    start_s: float
    end_s: float


def groups_of(
    tracks: Sequence[PersonTrack], pts_s: NDArray[np.float64], label: str
) -> list[GroupStretch]:
    """Find the groups of one video, by the rules of the pipeline.

    Args:
        tracks: linked detections; their frames are indices into `pts_s`.
        pts_s: float64 (N,) times of the sampled frames.
        label: of the video. Groups of people who do no interaction do nothing.

    Returns:
        In the order of the groups' numbers. A group's stretch begins where its people came close,
        or where the video begins: how it starts belongs to it.
    """
    label = label if label in TOGETHER else NOTHING
    tracker = GroupTracker(GroupSpec())
    boxes: list[dict[int, np.ndarray]] = [{} for _ in pts_s]
    for number, track in enumerate(tracks):
        for frame, box in zip(track.frames.tolist(), track.xyxy, strict=True):
            boxes[frame][number] = box
    members: dict[int, set[int]] = {}
    seen_s: dict[int, list[float]] = {}
    for time_s, people in zip(pts_s.tolist(), boxes, strict=True):
        for group in tracker.update(time_s, people, ())[0]:
            members.setdefault(group.group_id, set()).update(group.members)
            seen_s.setdefault(group.group_id, []).append(time_s)
    found = []
    for number, times in sorted(seen_s.items()):
        start_s, end_s = _widened(times, float(pts_s[0]), float(pts_s[-1]), label)
        if end_s - start_s >= MIN_SPAN_S:
            people_of_it = tuple(tracks[one] for one in sorted(members[number]))
            found.append(GroupStretch(label, people_of_it, start_s, end_s))
    return found


def _widened(
    times: Sequence[float], first_s: float, last_s: float, label: str
) -> tuple[float, float]:
    """Return the stretch of a group, at least as long as a clip where the video is."""
    start_s, end_s = times[0], times[-1]
    if label in INTERACTIONS:  # people stand before and after they act
        middle = [first_s + part * (last_s - first_s) for part in ACTED_PART]
        start_s = max(start_s, middle[0] - CLIP_SPAN_S / 2)
        end_s = min(end_s, middle[1] + CLIP_SPAN_S / 2)
    missing_s = max(0.0, CLIP_SPAN_S - (end_s - start_s))
    return max(first_s, start_s - missing_s / 2), min(last_s, end_s + missing_s / 2)
