"""How good scores are: accuracies, average precision, calibration, each over weighted clips.

Every function takes weights (R, N) of N clips and answers R times. Ones give the value of the
data itself; `resampling` draws the weights that give its confidence interval.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.boxes import FloatArray

CALIBRATION_BINS = 15  # Guo et al. 2017, "On Calibration of Modern Neural Networks", table 1

Weights = NDArray[np.float64]  # (R, N), how often each clip counts
Values = NDArray[np.float64]  # (R,), nan where there is no value
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class ScoredClips:
    """The truth and the predictions of N clips.

    Raises:
        ValueError: if the shapes do not fit together.
    """

    classes: tuple[str, ...]  # K
    truth: Flags  # (N, K)
    scores: FloatArray  # float32 (N, K): the higher, the more likely
    answered: Flags  # (N,) the model gave a prediction
    confidence: FloatArray  # float32 (N,) probability of the predicted class; nan: unknown
    groups: tuple[str, ...]  # N; what is drawn together in a confidence interval
    multi_label: bool  # several classes may be true of a clip
    background: int | None = None  # the class that stands for no action

    def __post_init__(self) -> None:
        shape = (len(self.groups), len(self.classes))
        if not self.truth.shape == self.scores.shape == shape:
            raise ValueError(
                f"truth {self.truth.shape} and scores {self.scores.shape} must be {shape}"
            )
        if not self.confidence.shape == self.answered.shape == shape[:1]:
            raise ValueError(
                f"answered {self.answered.shape} and confidence {self.confidence.shape} "
                f"must be {shape[:1]}"
            )

    @property
    def predicted(self) -> NDArray[np.intp]:
        """Int (N,): the class with the highest score; -1 without an answer."""
        return np.where(self.answered, self.scores.argmax(axis=1), -1)

    def hits(self, k: int = 1) -> Flags:
        """Return bool (N,): one of the k classes with the highest scores is true."""
        best = np.argsort(-self.scores, axis=1, kind="stable")[:, :k]
        found = np.take_along_axis(self.truth, best, axis=1).any(axis=1)
        return np.asarray(found & self.answered)


def plain_weights(clips: ScoredClips) -> Weights:
    """Return float (1, N) of ones: every clip counts once."""
    return np.ones((1, len(clips.groups)))


def top_k(clips: ScoredClips, weights: Weights, k: int) -> Values:
    """Return the fraction of clips of which one of the k highest classes is true."""
    return _ratio(weights @ clips.hits(k), weights.sum(axis=1))


def class_recalls(clips: ScoredClips, weights: Weights) -> NDArray[np.float64]:
    """Return float (R, K), the recall of each class; nan without clips of it."""
    hit = clips.truth & clips.hits()[:, None]
    return _ratio(weights @ hit, weights @ clips.truth)


def mean_class_accuracy(clips: ScoredClips, weights: Weights) -> Values:
    """Average `class_recalls` over the classes that occur, so that rare ones count as much."""
    return _mean_of_known(class_recalls(clips, weights))


def confusion(clips: ScoredClips) -> NDArray[np.intp]:
    """Count int (K, K + 1): rows the truth, columns the prediction, the last one for no answer.

    Of clips with one label each.
    """
    classes = len(clips.classes)
    counts = np.zeros((classes, classes + 1), np.intp)
    np.add.at(counts, (clips.truth.argmax(axis=1), clips.predicted), 1)  # -1 is the last column
    return counts


def average_precision(scores: FloatArray, truth: Flags, weights: Weights) -> Values:
    """Compute the area under precision over recall, without interpolation.

    Clips of equal score come together, so their order does not matter.

    Args:
        scores: float (N,).
        truth: bool (N,).
        weights: float (R, N).
    """
    order = np.argsort(-scores, kind="stable")
    ranked, true, weighed = scores[order], truth[order], weights[:, order]
    ends = np.append(ranked[1:] != ranked[:-1], True)  # of runs of equal scores
    found = (weighed * true).cumsum(axis=1)[:, ends]
    precision = np.nan_to_num(_ratio(found, weighed.cumsum(axis=1)[:, ends]))
    gained = np.diff(found, axis=1, prepend=0.0)
    return _ratio((precision * gained).sum(axis=1), found[:, -1])


def class_average_precisions(clips: ScoredClips, weights: Weights) -> NDArray[np.float64]:
    """Return float (R, K), the average precision of each class against all others."""
    columns = zip(clips.scores.T, clips.truth.T, strict=True)
    return np.stack([average_precision(*column, weights) for column in columns], axis=1)


def mean_average_precision(clips: ScoredClips, weights: Weights) -> Values:
    """Average the average precision over the classes that occur."""
    return _mean_of_known(class_average_precisions(clips, weights))


def area_under_curve(clips: ScoredClips, weights: Weights) -> Values:
    """Compute the area under the ROC curve of two classes.

    It is the probability that a clip of the action has a higher score of it than one without
    (Hanley and McNeil 1982); equal scores count half. The action is the class that is not the
    background, or the first one.
    """
    action = 1 if clips.background == 0 else 0
    _, rank = np.unique(clips.scores[:, action], return_inverse=True)
    at = np.eye(rank.max() + 1)[rank]  # (N, distinct scores)
    with_it = (weights * clips.truth[:, action]) @ at
    without = (weights * ~clips.truth[:, action]) @ at
    below = without.cumsum(axis=1) - without / 2
    return _ratio((with_it * below).sum(axis=1), with_it.sum(axis=1) * without.sum(axis=1))


def calibration_bins(
    clips: ScoredClips, weights: Weights, bins: int = CALIBRATION_BINS
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Collect confidence and accuracy per bin of confidence.

    Of single labels the confidence is that of the predicted class; of several labels every score
    of every class counts. Clips without a confidence are skipped.

    Args:
        clips: truth and predictions.
        weights: float (R, N).
        bins: of equal width from 0 to 1; the upper end belongs to a bin.

    Returns:
        Weight, mean confidence and fraction that is true, float (R, bins) each, nan in empty bins.
    """
    use = ~np.isnan(clips.confidence)
    if clips.multi_label:
        predicted, true = clips.scores[use], clips.truth[use]
    else:
        predicted, true = clips.confidence[use, None], clips.hits()[use, None]
    index = (np.ceil(predicted.astype(np.float64) * bins).astype(np.intp) - 1).clip(0, bins - 1)
    rows = np.arange(len(predicted))[:, None]
    count, confidence, right = (np.zeros((len(predicted), bins)) for _ in range(3))
    np.add.at(count, (rows, index), 1.0)
    np.add.at(confidence, (rows, index), predicted)
    np.add.at(right, (rows, index), true)
    weights = weights[:, use]
    total = weights @ count
    return total, _ratio(weights @ confidence, total), _ratio(weights @ right, total)


def calibration_error(clips: ScoredClips, weights: Weights, bins: int = CALIBRATION_BINS) -> Values:
    """Compute the expected calibration error (ECE) of Guo et al. 2017, equation 3."""
    total, confidence, accuracy = calibration_bins(clips, weights, bins)
    apart = np.nan_to_num(np.abs(accuracy - confidence))
    return _ratio((total * apart).sum(axis=1), total.sum(axis=1))


def _ratio(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    """Divide; nan where the whole is zero."""
    out = np.full(np.shape(part), np.nan)
    np.divide(part, whole, out=out, where=whole > 0)
    return out


def _mean_of_known(values: NDArray[np.float64]) -> Values:
    """Average over the last axis without nan; nan where nothing is known."""
    known = ~np.isnan(values)
    return _ratio(np.where(known, values, 0.0).sum(axis=1), known.sum(axis=1).astype(np.float64))
