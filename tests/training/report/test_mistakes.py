"""Images of the mistakes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from models.slowfast.zoo import slowfast_compact
from pipeline.stages.subject_decider import ActionRule
from tests.conftest import write_video
from tests.training.factories import cached
from tests.training.made_events import path_at, policy_of, track_of, true, video_of
from training.evaluation.clip_results import CachedView, ClipScore, VideoView
from training.evaluation.clips import evaluate_clips
from training.evaluation.labelled_videos import LabelledVideo
from training.evaluation.videos import EventEvaluation, evaluate_events
from training.metrics.label_mapping import map_labels
from training.report.mistakes import (
    CROPS_PER_STRIP,
    SIZE,
    clip_mistakes,
    event_mistakes,
    video_strips,
)

MODEL = ("walk", "run", "nothing")


def events(video: Path = Path("a.mp4"), label: str = "fight") -> EventEvaluation:
    fight = [0.1] * 6 + [0.9] * 4 + [0.1] * 3
    scores = video_of(track_of(fight), duration_s=8.0, name=str(video))
    mapping = map_labels([("fight",)], scores.labels, ("nothing",), {})
    labelled = LabelledVideo(scores, (true(0.5, 1.5, action=label),))
    policy = policy_of({"fight": ActionRule(0.6, 0.4, 0.5, 0.5)})
    return evaluate_events([labelled], mapping, policy, ["fight"], iou=0.5, false_alarms_per_hour=1)


def test_a_strip_shows_the_person_over_the_stretch(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mp4", [n / 10 for n in range(40)], shade=lambda n: 5 * n)
    person = path_at(10, 0, 4)
    late, early = video_strips(video, [VideoView(person, 2.0, 3.5), VideoView(person, 0.5, 2.0)])
    for jpeg, first, last in ((late, 100, 175), (early, 25, 100)):
        assert jpeg is not None
        image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
        assert image.shape == (SIZE, CROPS_PER_STRIP * SIZE)
        assert image[:, :SIZE].mean() == pytest.approx(first, abs=8)
        assert image[:, -SIZE:].mean() == pytest.approx(last, abs=8)


def test_wrong_clips_have_images_the_most_confident_first(tmp_path: Path) -> None:
    spec = slowfast_compact(2).input_spec
    small = cached(tmp_path, "walk", 100)
    scores = []
    for score in (0.6, 0.9):
        values = np.array([[1 - score, 0, score]], np.float32)
        scores.append(ClipScore(small.sample, values, 1, 1, CachedView(small, 0)))
    scores.append(ClipScore(small.sample, np.array([[1, 0, 0]], np.float32), 1, 1, None))
    mapping = map_labels([("walk",)] * 3, MODEL, (), {})
    result = evaluate_clips(scores, mapping, model_multi_label=False, seed=0)
    first, second = clip_mistakes(result, replace(spec, crop_size=32))
    assert first.title == "walk, called nothing (90 % confident)"
    assert second.title == "walk, called nothing (60 % confident)"
    for mistake in (first, second):
        assert mistake.jpeg is not None
        image = cv2.imdecode(np.frombuffer(mistake.jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
        assert image.mean() == pytest.approx(110, abs=5)


def test_wrong_events_have_images(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mp4", [n / 10 for n in range(80)], wh=(64, 64))
    [mistake] = event_mistakes(events(video))
    assert mistake.title == "fight, false alarm (score 0.90)"
    assert mistake.where == f"{video}, 5.0 to 6.5 s, person 1"
    assert mistake.jpeg is not None
