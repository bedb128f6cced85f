"""Metrics against values computed by hand and by scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as independent

from training.metrics import clip_metrics as metrics
from training.metrics.clip_metrics import ScoredClips, plain_weights


def clips(
    scores: list[list[float]] | np.ndarray,
    truth: list[list[int]] | np.ndarray,
    *,
    groups: tuple[str, ...] | None = None,
    multi_label: bool = False,
    answered: list[bool] | None = None,
) -> ScoredClips:
    array = np.array(scores, np.float32)
    count, classes = array.shape
    predicted = np.ones(count, bool) if answered is None else np.array(answered)
    return ScoredClips(
        tuple("abcdefgh"[:classes]),
        np.array(truth, bool),
        array,
        predicted,
        np.where(predicted, array.max(axis=1), np.nan).astype(np.float32),
        groups or tuple(str(n) for n in range(count)),
        multi_label,
    )


def random_clips(*, multi_label: bool, count: int = 60, classes: int = 5) -> ScoredClips:
    rng = np.random.default_rng(3)
    # Few different scores, so that there are ties.
    scores = rng.integers(0, 8, (count, classes)) / 8 + rng.choice([0, 0.001], (count, classes))
    truth = np.eye(classes)[rng.integers(0, classes, count)]
    if multi_label:
        truth = rng.random((count, classes)) < 0.4
    return clips(scores, truth, multi_label=multi_label)


def one(values: np.ndarray) -> float:
    assert values.shape == (1,)
    return float(values[0])


FOUR = clips(
    [[0.7, 0.2, 0.1], [0.6, 0.3, 0.1], [0.1, 0.5, 0.4], [0.2, 0.5, 0.3]],
    [[1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1]],
)


def test_the_area_under_the_curve_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(5)
    scores = rng.integers(0, 8, (60, 2)) / 8
    truth = np.eye(2)[rng.integers(0, 2, 60)]
    weights = rng.integers(0, 3, (4, 60)).astype(float)
    two = clips(scores, truth)
    found = metrics.area_under_curve(two, weights)
    wanted = [
        independent.roc_auc_score(truth[:, 0], scores[:, 0], sample_weight=w) for w in weights
    ]
    assert found == pytest.approx(wanted)
    assert np.isnan(metrics.area_under_curve(two, weights * truth[:, 0])).all()


def test_accuracies_are_those_counted_by_hand() -> None:
    ones = plain_weights(FOUR)
    assert one(metrics.top_k(FOUR, ones, 1)) == 0.5
    assert one(metrics.top_k(FOUR, ones, 2)) == 1.0
    assert metrics.class_recalls(FOUR, ones).tolist() == [[1.0, 0.5, 0.0]]
    assert one(metrics.mean_class_accuracy(FOUR, ones)) == 0.5


def test_the_confusion_matrix_has_the_truth_in_its_rows() -> None:
    assert metrics.confusion(FOUR).tolist() == [[1, 0, 0, 0], [1, 1, 0, 0], [0, 1, 0, 0]]


def test_a_clip_without_an_answer_is_wrong_and_stands_in_a_column_of_its_own() -> None:
    silent = clips([[0, 0], [0.1, 0.9]], [[1, 0], [0, 1]], answered=[False, True])
    assert one(metrics.top_k(silent, plain_weights(silent), 2)) == 0.5
    assert metrics.confusion(silent).tolist() == [[0, 0, 1], [0, 1, 0]]
    assert one(metrics.calibration_error(silent, plain_weights(silent))) == pytest.approx(0.1)


def test_a_class_that_does_not_occur_does_not_count_in_the_means() -> None:
    two = clips([[0.8, 0.2, 0], [0.9, 0.1, 0]], [[1, 0, 0], [0, 1, 0]])
    assert one(metrics.mean_class_accuracy(two, plain_weights(two))) == 0.5
    assert np.isnan(metrics.class_average_precisions(two, plain_weights(two))[0, 2])
    assert one(metrics.mean_average_precision(two, plain_weights(two))) == pytest.approx(0.5)


@pytest.mark.parametrize("multi_label", [False, True])
def test_average_precision_is_that_of_scikit_learn_with_weights_and_ties(multi_label: bool) -> None:
    made = random_clips(multi_label=multi_label)
    weights = np.random.default_rng(1).integers(0, 4, (3, 60)).astype(float)
    for row, ours in zip(weights, metrics.class_average_precisions(made, weights), strict=True):
        theirs = [
            independent.average_precision_score(
                made.truth[:, n], made.scores[:, n], sample_weight=row
            )
            for n in range(5)
        ]
        assert ours == pytest.approx(theirs)


def test_accuracies_are_those_of_scikit_learn() -> None:
    made = random_clips(multi_label=False)
    truth, ones = made.truth.argmax(axis=1), plain_weights(made)
    assert one(metrics.top_k(made, ones, 1)) == pytest.approx(
        independent.accuracy_score(truth, made.predicted)
    )
    assert one(metrics.mean_class_accuracy(made, ones)) == pytest.approx(
        independent.balanced_accuracy_score(truth, made.predicted)
    )
    assert (
        metrics.confusion(made)[:, :-1] == independent.confusion_matrix(truth, made.predicted)
    ).all()
    # Without ties, which scikit-learn breaks in its own way.
    untied = clips(np.random.default_rng(5).random((60, 5)), made.truth)
    assert one(metrics.top_k(untied, ones, 3)) == pytest.approx(
        independent.top_k_accuracy_score(truth, untied.scores, k=3)
    )


def test_weights_are_the_same_as_repetition() -> None:
    made = random_clips(multi_label=False)
    rows = np.repeat(np.arange(60), np.arange(60) % 3)
    repeated = clips(made.scores[rows], made.truth[rows])
    weights = (np.arange(60) % 3).astype(float)[None]
    for measure in (
        metrics.mean_class_accuracy,
        metrics.mean_average_precision,
        metrics.calibration_error,
    ):
        once = measure(repeated, plain_weights(repeated))
        assert measure(made, weights) == pytest.approx(once)


def test_the_calibration_error_is_that_counted_by_hand() -> None:
    # Bin (0.6, 0.7]: predicted 0.65 twice, once true. Bin (0.8, 0.9]: predicted 0.85 once, true.
    predicted = clips([[0.65, 0.35], [0.65, 0.35], [0.85, 0.15]], [[1, 0], [0, 1], [1, 0]])
    ones = plain_weights(predicted)
    assert one(metrics.calibration_error(predicted, ones, bins=10)) == pytest.approx(
        2 / 3 * 0.15 + 1 / 3 * 0.15
    )
    total, confidence, accuracy = metrics.calibration_bins(predicted, ones, bins=10)
    assert total[0].tolist() == [0, 0, 0, 0, 0, 0, 2, 0, 1, 0]
    assert confidence[0, 6] == pytest.approx(0.65)
    assert accuracy[0, [6, 8]].tolist() == [0.5, 1.0]


def test_of_several_labels_every_score_is_calibrated() -> None:
    predicted = clips([[0.95, 0.05], [0.95, 0.95]], [[1, 0], [1, 0]], multi_label=True)
    total, _, accuracy = metrics.calibration_bins(predicted, plain_weights(predicted), bins=10)
    assert total[0, [0, 9]].tolist() == [1, 3]
    assert accuracy[0, 9] == pytest.approx(2 / 3)


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="must be"):
        clips([[0.1, 0.9]], [[1, 0], [0, 1]])
