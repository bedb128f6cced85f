"""Numbers of what is held out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics as independent

from models.inference.action_recognizer import ActionRecognizer
from tests.training.factories import cached, small_model
from training.fitting.validation import SampleScore, confusion, measure, score_samples
from training.labels.samples import Sample

LABELS = ("stand", "walk")
THREE = ("a", "b", "c")


class BrightMeansWalk:
    """A score for walking that equals the brightness of the clip."""

    labels = LABELS
    spec = small_model().input_spec

    def predict(self, clips: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        bright = np.array([clip.mean() / 255 for clip in clips])
        return np.stack([1 - bright, bright], axis=1).astype(np.float32)


def score(label: str, *scores: float) -> SampleScore:
    labels = tuple(label.split("|"))
    return SampleScore(Sample(Path("a.mp4"), labels), np.array(scores, np.float32))


def test_a_sample_is_the_average_over_its_people_and_timestamps(tmp_path: Path) -> None:
    first = cached(tmp_path, "walk", 0)
    second = replace(cached(tmp_path, "walk", 220), sample=first.sample)
    other = cached(tmp_path, "stand", 40)
    recognizer = cast(ActionRecognizer, BrightMeansWalk())
    found = score_samples(recognizer, [first, second, other])
    assert [one.sample.labels[0] for one in found] == ["walk", "stand"]
    assert found[0].scores[1] == pytest.approx((9.5 + 229.5) / 2 / 255, abs=0.02)


def test_single_labels_have_accuracies_and_a_loss() -> None:
    found = [score("walk", 0.2, 0.8), score("walk", 0.6, 0.4), score("stand", 0.9, 0.1)]
    result = measure(found, LABELS, multi_label=False)
    assert result.top1 == pytest.approx(2 / 3)
    assert result.top5 == 1.0
    assert result.mean_class_accuracy == pytest.approx(0.75)
    assert result.loss == pytest.approx(-np.log([0.8, 0.4, 0.9]).mean(), rel=1e-5)
    assert confusion(found, LABELS).tolist() == [[1, 0], [1, 1]]


def test_a_rare_class_counts_as_much_as_a_frequent_one() -> None:
    found = [score("walk", 0.2, 0.8)] * 9 + [score("walk", 0.8, 0.2), score("stand", 0.2, 0.8)]
    result = measure(found, LABELS, multi_label=False)
    assert result.top1 == pytest.approx(9 / 11)
    assert result.mean_class_accuracy == pytest.approx((0.9 + 0.0) / 2)


def test_several_labels_have_an_average_precision() -> None:
    found = [score("stand", 0.9, 0.1), score("walk", 0.8, 0.2), score("stand|walk", 0.7, 0.9)]
    result = measure(found, LABELS, multi_label=True)
    # stand is right at ranks 1 and 3, walk at ranks 1 and 2
    assert result.mean_average_precision == pytest.approx(((1 + 2 / 3) / 2 + 1) / 2)
    assert result.top1 is None
    assert result.quality == (result.mean_average_precision, -result.loss)


def test_of_two_epochs_as_often_right_the_surer_one_is_better() -> None:
    confident, doubtful = (
        measure([score("walk", 1 - p, p)], LABELS, multi_label=False) for p in (0.9, 0.6)
    )
    assert confident.quality > doubtful.quality


def random_scores(*, multi_label: bool) -> list[SampleScore]:
    rng = np.random.default_rng(0)
    scores = rng.dirichlet([1, 1, 1], 40).astype(np.float32)
    truths = [("a", "c") if multi_label and n % 3 == 0 else (THREE[n % 3],) for n in range(40)]
    return [
        SampleScore(Sample(Path(f"{n}.mp4"), truth), row)
        for n, (truth, row) in enumerate(zip(truths, scores, strict=True))
    ]


def test_numbers_of_single_labels_are_those_of_scikit_learn() -> None:
    rows = random_scores(multi_label=False)
    result = measure(rows, THREE, multi_label=False)
    truth = [THREE.index(one.sample.labels[0]) for one in rows]
    scores = np.stack([one.scores for one in rows]).astype(float)
    predicted = scores.argmax(axis=1)
    assert result.top1 == pytest.approx(independent.accuracy_score(truth, predicted))
    assert result.top5 == 1.0
    assert result.mean_class_accuracy == pytest.approx(
        independent.balanced_accuracy_score(truth, predicted)
    )
    scores /= scores.sum(axis=1, keepdims=True)
    assert result.loss == pytest.approx(independent.log_loss(truth, scores), rel=1e-4)
    assert (confusion(rows, THREE) == independent.confusion_matrix(truth, predicted)).all()


def test_average_precision_is_that_of_scikit_learn() -> None:
    rows = random_scores(multi_label=True)
    result = measure(rows, THREE, multi_label=True)
    truth = np.array([[label in one.sample.labels for label in THREE] for one in rows])
    scores = np.stack([one.scores for one in rows])
    assert result.mean_average_precision == pytest.approx(
        independent.average_precision_score(truth, scores)
    )
    assert result.top1 is None
