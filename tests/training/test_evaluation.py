"""Counting what is right."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray

from models.action_recognizer import ActionRecognizer
from models.architectures import slowfast_compact
from tests.training.factories import cached
from training.evaluation import Evaluation, accuracy, evaluate, mean_class_accuracy


class BrightMeansWalk:
    """Says walk of every bright clip, stand of every dark one."""

    labels = ("stand", "walk")
    spec = slowfast_compact(2).input_spec

    def predict(self, clips: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        bright = np.array([clip.mean() > 128 for clip in clips])
        return np.stack([~bright, bright], axis=1).astype(np.float32)


def test_clips_and_videos_are_counted_by_truth_and_prediction(tmp_path: Path) -> None:
    tracks = [cached(tmp_path, "walk", 200), cached(tmp_path, "walk", 10)]
    tracks += [cached(tmp_path, "stand", 20)]
    result = evaluate(cast(ActionRecognizer, BrightMeansWalk()), tmp_path, tracks)
    assert result.clips.tolist() == [[2, 0], [2, 2]]
    assert result.videos.sum() == 2  # both walks are of one video
    assert result.videos[0].tolist() == [1, 0]


def test_a_rare_class_counts_as_much_as_a_frequent_one() -> None:
    counts = np.array([[90, 10, 0], [1, 1, 0], [0, 0, 0]])
    assert accuracy(counts) == pytest.approx(91 / 102)
    assert mean_class_accuracy(counts) == pytest.approx((0.9 + 0.5) / 2)


def test_the_table_has_a_row_for_every_class_that_occurs() -> None:
    counts = np.array([[3, 1], [0, 0]])
    text = Evaluation(("stand", "walk"), counts, counts).to_markdown()
    assert "| stand | 3 | 1 | 75% |" in text
    assert "\n| walk |" not in text
