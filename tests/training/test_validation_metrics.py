"""The numbers of training are those of `evaluate`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics as independent

from training.samples import Sample
from training.validation import SampleScore, confusion, measure

LABELS = ("a", "b", "c")


def found(*, multi_label: bool) -> list[SampleScore]:
    rng = np.random.default_rng(0)
    scores = rng.dirichlet([1, 1, 1], 40).astype(np.float32)
    truths = [("a", "c") if multi_label and n % 3 == 0 else (LABELS[n % 3],) for n in range(40)]
    return [
        SampleScore(Sample(Path(f"{n}.mp4"), truth), row)
        for n, (truth, row) in enumerate(zip(truths, scores, strict=True))
    ]


def test_single_labels() -> None:
    rows = found(multi_label=False)
    result = measure(rows, LABELS, multi_label=False)
    truth = [LABELS.index(one.sample.labels[0]) for one in rows]
    scores = np.stack([one.scores for one in rows]).astype(float)
    said = scores.argmax(axis=1)
    assert result.top1 == pytest.approx(independent.accuracy_score(truth, said))
    assert result.top5 == 1.0
    assert result.mean_class_accuracy == pytest.approx(
        independent.balanced_accuracy_score(truth, said)
    )
    scores /= scores.sum(axis=1, keepdims=True)
    assert result.loss == pytest.approx(independent.log_loss(truth, scores), rel=1e-4)
    assert (confusion(rows, LABELS) == independent.confusion_matrix(truth, said)).all()


def test_several_labels() -> None:
    rows = found(multi_label=True)
    result = measure(rows, LABELS, multi_label=True)
    truth = np.array([[label in one.sample.labels for label in LABELS] for one in rows])
    scores = np.stack([one.scores for one in rows])
    assert result.mean_average_precision == pytest.approx(
        independent.average_precision_score(truth, scores)
    )
    assert result.top1 is None
