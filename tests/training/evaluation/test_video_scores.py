"""What the pipeline makes of a file, kept: real (made) videos, stand-ins for the models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.boxes import FloatArray
from models.detections import Detections
from pipeline.app import replay
from pipeline.config.schema import load_config
from pipeline.errors import SourceError
from pipeline.events import ActionEvent
from pipeline.runtime.shutdown import Shutdown
from pipeline.sources.video_files import VideoFile
from pipeline.stages.decisions import EventStamp, decide_actions
from pipeline.stages.group_clips import GroupClipSpec
from pipeline.stages.groups import GroupSpec
from pipeline.stages.subject_decider import ActionRule
from pipeline.types import (
    DecidedEnd,
    DecidedFrame,
    Frame,
    Prediction,
    RecognizedFrame,
    StreamEnd,
    TrackedPerson,
)
from testbed.fakes import BrightnessRecognizer, fake_components
from tests.conftest import make_frame, make_tracked, write_video
from tests.training.made_events import LABELS, policy_of, track_of, video_of
from training.evaluation.video_scores import SubjectScores, decide_events, score_video

CONFIG = load_config()
STRIDE_S = CONFIG.clip.stride_s


class Recorder:
    """A sink that remembers the events."""

    def __init__(self) -> None:
        self.events: list[ActionEvent] = []

    def write(self, item: DecidedFrame | DecidedEnd) -> None:
        self.events += [event for event in item.events if isinstance(event, ActionEvent)]

    def close(self) -> None:
        pass


def flashing(path: Path, seconds: float = 8.0) -> Path:
    """Two seconds bright, two seconds dark, and so on."""
    times = [n / 20 for n in range(round(seconds * 20))]
    return write_video(path, times, shade=lambda n: 230 if n // 40 % 2 == 0 else 20)


def test_events_of_kept_scores_are_those_of_a_replay(tmp_path: Path) -> None:
    video, sink = flashing(tmp_path / "a.mp4"), Recorder()
    stamp = EventStamp("test", "brightness", wall_clock=False)
    components = fake_components()
    files = [VideoFile("a", video)]
    for _ in replay(files, components, CONFIG, stamp, [sink], Shutdown()):
        pass
    replayed = {
        (event.action, event.start_pts_s, event.end_pts_s)
        for event in sink.events
        if event.kind == "end"
    }
    scores = score_video(video, components, stride_s=STRIDE_S)
    ours = decide_events(scores.subjects, scores.labels, components.policy)
    assert len(replayed) >= 4
    assert {(e.action, round(e.start_s, 3), round(e.end_s, 3)) for e in ours} == replayed


def test_it_knows_the_video_and_its_people(tmp_path: Path) -> None:
    reported: list[tuple[int, int]] = []
    scores = score_video(
        flashing(tmp_path / "a.mp4"),
        fake_components(),
        stride_s=STRIDE_S,
        advance=lambda done, promised: reported.append((done, promised)),
    )
    assert scores.duration_s == pytest.approx(8.0, abs=0.05)
    assert (scores.wh, scores.people) == ((64, 48), 1)
    assert reported[-1] == (160, 160)
    [track] = scores.subjects
    assert np.diff(track.path.pts_s) == pytest.approx(STRIDE_S, abs=0.06)
    assert track.scores.shape == (len(track.path.pts_s), 2)


def test_clips_are_recognized_in_batches_with_the_same_result(tmp_path: Path) -> None:
    sizes: list[int] = []

    class Counting(BrightnessRecognizer):
        def predict(self, clips: Sequence[NDArray[np.uint8]]) -> FloatArray:
            sizes.append(len(clips))
            return super().predict(clips)

    video = flashing(tmp_path / "a.mp4")
    alone = score_video(video, fake_components(), stride_s=STRIDE_S)
    components = replace(fake_components(), recognizer=Counting(), recognize_batch=4)
    together = score_video(video, components, stride_s=STRIDE_S)
    assert max(sizes) == 4
    assert (together.subjects[0].scores == alone.subjects[0].scores).all()


def test_a_broken_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"no video")
    with pytest.raises(SourceError, match=r"bad\.mp4: not a readable video"):
        score_video(bad, fake_components(), stride_s=STRIDE_S)
    with pytest.raises(SourceError, match="no such file"):
        score_video(tmp_path / "none.mp4", fake_components(), stride_s=STRIDE_S)


def test_events_are_those_that_the_decision_stage_makes() -> None:
    rng = np.random.default_rng(0)
    rules = {"fight": ActionRule(0.6, 0.4, 0.5, 0.5), "walk": ActionRule(0.3, 0.3, 0.0, 1.0)}
    policy = policy_of(rules, smoothing_s=0.7)
    tracks = [_random_track(rng, track_id) for track_id in (1, 2, 3)]

    recognized: list[RecognizedFrame | StreamEnd] = []
    for step in range(80):
        frame = make_frame(step, 2.0 + step / 2)
        predictions = tuple(
            Prediction(track.subject, track.path.xyxy[step], track.scores[step]) for track in tracks
        )
        tracked = make_tracked(frame, (1, 2, 3))
        recognized.append(RecognizedFrame(tracked, predictions, 0.0, 0.0))
    recognized.append(StreamEnd("gate"))
    stamp = EventStamp("run", "model", wall_clock=False)
    live = {"start": set(), "end": set()}
    for item in decide_actions(recognized, LABELS, lambda camera_id: policy, stamp, lambda: 0.0):
        for event in item.events:
            if isinstance(event, ActionEvent) and event.kind != "update":
                times = event.start_pts_s, event.end_pts_s
                live[event.kind].add((event.track_id, event.action, *times))

    ours = decide_events(tracks, LABELS, policy)
    assert len(ours) > 10
    assert {(e.subject.id, e.action, e.start_s, e.end_s) for e in ours} == live["end"]
    assert {(e.subject.id, e.action, e.start_s, e.decided_s) for e in ours} == live["start"]


def test_an_event_is_decided_after_its_minimum_duration() -> None:
    [event] = decide_events([track_of([0.1, 0.9, 0.9, 0.9, 0.1, 0.1])], LABELS, policy_of())
    assert (event.start_s, event.decided_s, event.end_s) == (2.5, 3.0, 3.5)
    assert event.peak_score == pytest.approx(0.9)


def test_a_video_lasts_until_the_end_of_its_last_frame() -> None:
    assert video_of(duration_s=60.0).duration_s == pytest.approx(60.0)


def _random_track(rng: np.random.Generator, track_id: int) -> SubjectScores:
    track = track_of([0.0] * 80, track_id=track_id)
    scores = rng.dirichlet([0.4, 0.4, 0.4], 40).repeat(2, axis=0).astype(np.float32)
    return SubjectScores(track.subject, track.path, scores)


class TwoPeople:
    """Detects and tracks two people who stand beside each other; scores brightness."""

    def detect(self, images: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        boxes = np.array([[10, 8, 20, 40], [22, 8, 32, 40]], np.float32)
        return [Detections(boxes, np.full(2, 0.9, np.float32)) for _ in images]

    def update(
        self, frame: Frame, detections: Detections
    ) -> tuple[tuple[TrackedPerson, ...], tuple[int, ...]]:
        people = enumerate(detections.xyxy, 1)
        return tuple(TrackedPerson(n, box, 0.9) for n, box in people), ()


def test_a_group_is_scored_decided_and_published_by_the_same_rules(tmp_path: Path) -> None:
    """`bright` is a group's: one event of both, and none of either."""
    video = flashing(tmp_path / "a.mp4")
    components = fake_components()
    components = replace(
        components,
        detector=TwoPeople(),
        new_tracker=TwoPeople,
        group_spec=GroupClipSpec(GroupSpec(), margin=0.1, stride_s=STRIDE_S),
        policy=replace(components.policy, group_actions=frozenset({"bright"})),
    )
    sink = Recorder()
    stamp = EventStamp("run", "brightness", wall_clock=False)
    list(replay([VideoFile("a", video)], components, CONFIG, stamp, [sink], Shutdown()))
    ends = [event for event in sink.events if event.kind == "end"]
    assert {(e.action, e.track_id, e.group_id, e.members) for e in ends} == {
        ("dark", 1, None, ()),
        ("dark", 2, None, ()),
        ("bright", None, 1, (1, 2)),
    }
    scores = score_video(video, components, stride_s=STRIDE_S)
    assert [one.subject.key for one in scores.subjects] == [
        ("person", 1), ("person", 2), ("group", 1),
    ]  # fmt: skip
    assert [path.xyxy[0].tolist() for path in scores.subjects[2].people] == [
        [10, 8, 20, 40], [22, 8, 32, 40],
    ]  # fmt: skip
    ours = decide_events(scores.subjects, scores.labels, components.policy)
    assert {(e.action, *e.subject.key, round(e.end_s, 3)) for e in ours} == {
        (
            e.action,
            *(("person", e.track_id) if e.group_id is None else ("group", e.group_id)),
            e.end_pts_s,
        )
        for e in ends
    }
