"""Events from kept scores are those of the pipeline."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.events import ActionEvent
from pipeline.stages.decisions import EventStamp, decide_actions
from pipeline.stages.track_decider import ActionRule
from pipeline.types import Prediction, RecognizedFrame, StreamEnd
from tests.conftest import make_frame, make_tracked
from tests.training.made_events import LABELS, policy_of, track_of, video_of
from training.evaluation.track_scores import TrackScores, decide_events


def test_events_are_those_that_the_decision_stage_makes() -> None:
    rng = np.random.default_rng(0)
    rules = {"fight": ActionRule(0.6, 0.4, 0.5, 0.5), "walk": ActionRule(0.3, 0.3, 0.0, 1.0)}
    policy = policy_of(rules, smoothing_s=0.7)
    tracks = [_random_track(rng, track_id) for track_id in (1, 2, 3)]

    recognized: list[RecognizedFrame | StreamEnd] = []
    for step in range(80):
        frame = make_frame(step, 2.0 + step / 2)
        predictions = tuple(
            Prediction(track.track_id, track.path.xyxy[step], track.scores[step])
            for track in tracks
        )
        tracked = make_tracked(frame, (1, 2, 3))
        recognized.append(RecognizedFrame(tracked, predictions, 0.0, 0.0))
    recognized.append(StreamEnd("gate"))
    stamp = EventStamp("run", "model", wall_clock=False)
    live = {"start": set(), "end": set()}
    for item in decide_actions(recognized, LABELS, policy, stamp, lambda: 0.0):
        for event in item.events:
            if isinstance(event, ActionEvent) and event.kind != "update":
                times = event.start_pts_s, event.end_pts_s
                live[event.kind].add((event.track_id, event.action, *times))

    ours = decide_events(tracks, LABELS, policy)
    assert len(ours) > 10
    assert {(e.track_id, e.action, e.start_s, e.end_s) for e in ours} == live["end"]
    assert {(e.track_id, e.action, e.start_s, e.decided_s) for e in ours} == live["start"]


def test_an_event_is_decided_after_its_minimum_duration() -> None:
    [event] = decide_events([track_of([0.1, 0.9, 0.9, 0.9, 0.1, 0.1])], LABELS, policy_of())
    assert (event.start_s, event.decided_s, event.end_s) == (2.5, 3.0, 3.5)
    assert event.peak_score == pytest.approx(0.9)


def test_a_video_lasts_until_the_end_of_its_last_frame() -> None:
    assert video_of(duration_s=60.0).duration_s == pytest.approx(60.0)


def _random_track(rng: np.random.Generator, track_id: int) -> TrackScores:
    track = track_of([0.0] * 80, track_id=track_id)
    scores = rng.dirichlet([0.4, 0.4, 0.4], 40).repeat(2, axis=0).astype(np.float32)
    return TrackScores(track_id, track.path, scores)
