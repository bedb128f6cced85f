"""Labelled clips scored from the cache, as training sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.boxes import FloatArray
from models.slowfast.input_spec import InputSpec
from tests.training.factories import FixedDetector, MadePeople, small_model, write_scene
from training.evaluation.cached_clips import score_cached_clips
from training.evaluation.clip_results import (
    CachedView,
    ClipScore,
    UnreadableClip,
    mean_scores,
    most_typical,
)
from training.labels.samples import PersonBox, Sample

SPEC = replace(small_model().input_spec, crop_size=32)
LEFT, RIGHT = (10, 10, 40, 60), (50, 10, 80, 60)


class BrightnessScorer:
    """Scores how bright a clip is; counts the clips."""

    def __init__(self) -> None:
        self.clips = 0

    def predict(self, clips: Sequence[NDArray[np.uint8]]) -> FloatArray:
        self.clips += len(clips)
        bright = np.array([clip.mean() / 255 for clip in clips], np.float32)
        return np.stack([1 - bright, bright], axis=1)


def scores_of(
    tmp_path: Path,
    *samples: Sample,
    boxes: Sequence[tuple[float, ...]] = (),
    spec: InputSpec = SPEC,
) -> list[ClipScore | UnreadableClip]:
    return list(
        score_cached_clips(
            samples,
            BrightnessScorer(),
            spec,
            tmp_path / "cache",
            MadePeople(FixedDetector(*boxes)),
            lambda done, total: None,
        )
    )


def one_score(items: list[ClipScore | UnreadableClip]) -> ClipScore:
    [item] = items
    assert isinstance(item, ClipScore)
    return item


def test_views_are_every_person_every_half_second(tmp_path: Path) -> None:
    video = write_scene(tmp_path / "a.mp4", level=200)  # 3 s: clips of 2 s end at 2.0 and 2.5 s
    score = one_score(scores_of(tmp_path, Sample(video, ("walk",)), boxes=(LEFT, RIGHT)))
    assert (score.people, score.views) == (2, 4)
    assert score.subjects.shape == (2, 2)
    assert score.subjects[:, 1] == pytest.approx(0.77, abs=0.05)  # grey 200 of 255, and the square


def test_the_clips_of_a_group_are_one_subject_and_its_people_are_none(tmp_path: Path) -> None:
    video = write_scene(tmp_path / "a.mp4", level=200)
    spec = replace(SPEC, labels=("walk", "fight"), group_labels=("fight",))
    sample = Sample(video, ("fight",))
    score = one_score(scores_of(tmp_path, sample, boxes=(LEFT, RIGHT), spec=spec))
    assert len(score.subjects) == 1
    assert score.views == 2  # every half second


def test_a_clip_in_which_nobody_is_tracked_has_no_scores(tmp_path: Path) -> None:
    video = write_scene(tmp_path / "a.mp4")
    score = one_score(scores_of(tmp_path, Sample(video, ("walk",))))
    assert (score.scored, score.people, score.views) == (False, 0, 0)


def test_the_whole_frame_is_shown_where_the_user_asks_for_it(tmp_path: Path) -> None:
    video = write_scene(tmp_path / "a.mp4")
    sample = Sample(video, ("walk",), box=PersonBox((0.0, 0.0, 1.0, 1.0), normalized=True))
    score = one_score(scores_of(tmp_path, sample))
    assert (score.scored, score.people, score.views) == (True, 1, 2)


def test_a_given_box_is_the_person(tmp_path: Path) -> None:
    video = write_scene(tmp_path / "a.mp4", seconds=1.0)  # shorter than a clip: one view
    sample = Sample(video, ("walk",), box=PersonBox((16.0, 16.0, 32.0, 48.0)))
    score = one_score(scores_of(tmp_path, sample, boxes=(LEFT, RIGHT)))
    assert (score.people, score.views) == (1, 1)
    assert isinstance(score.view, CachedView)
    assert score.view.number == 0


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"no video")
    good = write_scene(tmp_path / "a.mp4")
    samples = Sample(bad, ("walk",), origin="labels.csv:2"), Sample(good, ("walk",))
    unreadable, score = scores_of(tmp_path, *samples)
    assert isinstance(unreadable, UnreadableClip)
    assert str(unreadable).startswith(f"labels.csv:2: {bad}: not a readable video")
    assert isinstance(score, ClipScore)


def test_the_view_that_is_shown_speaks_most_for_the_answer() -> None:
    rows = np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.4, 0.6]], np.float32)
    assert mean_scores(rows) == pytest.approx([0.45, 0.55])
    assert most_typical(rows) == 1
