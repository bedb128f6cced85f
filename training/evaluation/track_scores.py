"""Scores of people over time, kept once per video, and the events that a policy makes of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.boxes import FloatArray
from pipeline.stages.track_decider import Change, DecisionPolicy, Timestamp, TrackDecider
from training.metrics.event_matching import FoundEvent, PersonPath


@dataclass(frozen=True, slots=True, eq=False)
class TrackScores:
    """What the recognizer said of one tracked person, clip after clip."""

    track_id: int
    path: PersonPath  # at the newest frame of each of the N clips
    scores: FloatArray  # float32 (N, num_classes)


@dataclass(frozen=True, slots=True, eq=False)
class VideoScores:
    """One video, seen by the pipeline up to its decisions."""

    path: Path
    labels: tuple[str, ...]  # of the scores, in order
    wh: tuple[int, int]  # pixels
    frame_pts_s: NDArray[np.float64]  # (F,) of every frame
    people: int  # tracks that were seen, with clips or without
    tracks: tuple[TrackScores, ...]  # those of which there are clips

    @property
    def duration_s(self) -> float:
        """Until the end of the last frame."""
        if len(self.frame_pts_s) < 2:
            return 0.0
        first, last = float(self.frame_pts_s[0]), float(self.frame_pts_s[-1])
        return last + (last - first) / (len(self.frame_pts_s) - 1)


def decide_events(
    tracks: Sequence[TrackScores], labels: Sequence[str], policy: DecisionPolicy
) -> list[FoundEvent]:
    """Run the pipeline's own decisions over scores that are there already.

    Args:
        tracks: the people of one video.
        labels: of the scores, in order.
        policy: its rules say which actions are decided.

    Returns:
        Events by track, in the order in which they ended.
    """
    quiet = replace(policy, update_interval_s=math.inf)  # only starts and ends matter here
    used = [labels.index(action) for action in policy.rules]
    names = tuple(policy.rules)
    return [event for track in tracks for event in _events_of(track, names, used, quiet)]


def _events_of(
    track: TrackScores, names: Sequence[str], used: Sequence[int], policy: DecisionPolicy
) -> list[FoundEvent]:
    decider = TrackDecider(track.track_id, policy)
    rows = track.scores[:, used].tolist()
    decided_s: dict[tuple[str, int], float] = {}
    events = []

    def take(changes: Sequence[Change]) -> None:
        for change in changes:
            key = change.action, change.ordinal
            if change.kind == "start":
                decided_s[key] = change.end.pts_s
            else:
                events.append(_event(change, decided_s[key], track.path))

    for pts_s, xyxy, row in zip(track.path.pts_s.tolist(), track.path.xyxy, rows, strict=True):
        scores = dict(zip(names, row, strict=True))
        take(decider.observe(scores, Timestamp(pts_s, pts_s), xyxy))
    take(decider.finish("track_ended"))
    return events


def _event(change: Change, decided_s: float, path: PersonPath) -> FoundEvent:
    return FoundEvent(
        action=change.action,
        track_id=change.track_id,
        start_s=change.start.pts_s,
        end_s=change.end.pts_s,
        decided_s=decided_s,
        peak_score=change.peak_score,
        path=path,
    )
