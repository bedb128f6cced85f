"""Whole-frame evaluation against a computation of its own, its cache and its errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from models.boxes import FloatArray
from models.inference.action_recognizer import ActionRecognizer
from tests.training.factories import tiny_model, write_scene
from training.evaluation.clip_results import ClipScore, UnreadableClip
from training.evaluation.view_options import WholeFrameViews
from training.evaluation.whole_frame import ViewScoreCache, score_whole_frames
from training.labels.samples import Sample

VIEWS = WholeFrameViews(clips=4, crops=3, side=32)
SPEC = replace(tiny_model().input_spec, clip_len=8, frame_interval=2, crop_size=32)


class Recorder:
    """Scores a clip by its content, and keeps what it was shown."""

    def __init__(self) -> None:
        self.clips: list[NDArray[np.uint8]] = []

    def predict(self, clips: Sequence[NDArray[np.uint8]]) -> FloatArray:
        self.clips += clips
        level = np.array([clip.mean() / 255 for clip in clips], np.float32)
        return np.stack([level, 1 - level], axis=1)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scene(tmp_path_factory.mktemp("whole") / "a.mp4", step=3)  # 30 frames of 96 x 64


def scored(video: Path, recorder: Recorder, cache: Path, **stretch: float) -> list[object]:
    sample = Sample(video, ("walk",), **stretch)  # type: ignore[arg-type]
    return list(score_whole_frames([sample], recorder, SPEC, VIEWS, ViewScoreCache(cache, "x")))


def test_views_are_those_of_a_few_lines_of_numpy(video: Path, tmp_path: Path) -> None:
    recorder = Recorder()
    (score,) = scored(video, recorder, tmp_path)
    capture = cv2.VideoCapture(str(video))
    frames = [capture.read()[1] for _ in range(30)]
    small = [cv2.resize(frame, (48, 32), interpolation=cv2.INTER_LINEAR) for frame in frames]
    expected = []
    for first in (0, 5, 10, 15):  # 30 frames less the 15 of a clip are 15 to spread over 3 steps
        clip = np.stack([small[first + 2 * n] for n in range(8)])
        expected += [clip[:, :, left : left + 32] for left in (0, 16, 8)]
    assert len(recorder.clips) == len(expected) == 12
    for shown, own in zip(recorder.clips, expected, strict=True):
        assert np.abs(shown.astype(int) - own).mean() < 2  # two decoders round colours apart
    assert isinstance(score, ClipScore)
    levels = [clip.mean() / 255 for clip in recorder.clips]
    assert score.subjects[0] == pytest.approx([np.mean(levels), 1 - np.mean(levels)], abs=1e-6)
    assert score.views == 12


def test_scores_are_kept_and_not_computed_again(video: Path, tmp_path: Path) -> None:
    first, again = Recorder(), Recorder()
    (one,), (two,) = scored(video, first, tmp_path), scored(video, again, tmp_path)
    assert isinstance(one, ClipScore)
    assert isinstance(two, ClipScore)
    assert again.clips == []
    assert (one.subjects == two.subjects).all()
    scored(video, again, tmp_path, start_s=1.0)  # another stretch
    assert len(again.clips) == 12


def test_a_video_that_cannot_be_read_is_named_and_others_go_on(tmp_path: Path) -> None:
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    (bad,) = scored(tmp_path / "bad.mp4", Recorder(), tmp_path)
    assert isinstance(bad, UnreadableClip)
    assert "not a readable video" in bad.reason


def test_a_network_averages_the_probabilities_of_its_views(video: Path, tmp_path: Path) -> None:
    model = tiny_model()
    recognizer = ActionRecognizer(model, device="cpu", precision="float32", backend="torch")
    views = WholeFrameViews(clips=2, crops=1, side=32)
    cache = ViewScoreCache(tmp_path, "y")
    sample = Sample(video, ("walk",))
    (score,) = score_whole_frames([sample], recognizer, model.input_spec, views, cache)
    assert isinstance(score, ClipScore)
    assert score.subjects.sum() == pytest.approx(1.0, abs=1e-5)
