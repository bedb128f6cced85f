"""Made truths, events and scores of people over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from pipeline.stages.subject_decider import ActionRule, DecisionPolicy
from pipeline.types import Subject
from training.crops.person_tracks import PersonPath
from training.evaluation.video_scores import SubjectScores, VideoScores
from training.metrics.event_matching import FoundEvent, TrueEvent

LABELS = ("fight", "walk", "nothing")
STRIDE_S = 0.5


def path_at(x: float, start_s: float = 0.0, end_s: float = 100.0) -> PersonPath:
    """A person who stands at x, 20 wide and 40 high."""
    times = np.arange(start_s, end_s + 1e-6, STRIDE_S)
    box = np.array([x, 10, x + 20, 50], np.float32)
    return PersonPath(times, np.tile(box, (len(times), 1)))


def true(
    start_s: float, end_s: float, *, action: str = "fight", path: PersonPath | None = None
) -> TrueEvent:
    return TrueEvent(action, start_s, end_s, path)


def found(
    start_s: float,
    end_s: float,
    *,
    action: str = "fight",
    x: float = 0.0,
    decided_s: float | None = None,
) -> FoundEvent:
    reported_s = start_s if decided_s is None else decided_s
    return FoundEvent(
        action, Subject.person(1), start_s, end_s, reported_s, 0.9, path_at(x, start_s, end_s)
    )


def track_of(
    fight: Sequence[float], *, track_id: int = 1, x: float = 0.0, start_s: float = 2.0
) -> SubjectScores:
    """One clip every half second with these scores of fight; what is left is nothing."""
    path = path_at(x, start_s, start_s + STRIDE_S * (len(fight) - 1))
    scores = np.zeros((len(fight), 3), np.float32)
    scores[:, 0] = fight
    scores[:, 2] = 1 - scores[:, 0]
    return SubjectScores(Subject.person(track_id), path, scores)


def video_of(*tracks: SubjectScores, duration_s: float = 100.0, name: str = "a.mp4") -> VideoScores:
    times = np.arange(0, duration_s, 0.1)
    return VideoScores(Path(name), LABELS, (640, 480), times, len(tracks), tracks)


def policy_of(
    rules: Mapping[str, ActionRule] | None = None, *, smoothing_s: float = 0.0
) -> DecisionPolicy:
    default = {"fight": ActionRule(0.6, 0.4, 0.5, 0.5)}
    return DecisionPolicy(rules or default, smoothing_s, update_interval_s=1.0)
