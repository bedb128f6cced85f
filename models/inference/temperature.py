"""Temperatures of labels: make scores mean frequencies, after the network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.boxes import FloatArray

LEAST_SCORE = 1e-7  # the logarithm of zero is infinite


def apply_temperatures(
    scores: FloatArray,
    temperatures: Sequence[float] | NDArray[np.floating],
    *,
    multi_label: bool,
) -> FloatArray:
    """Divide the logarithms of scores by a temperature per label.

    Of softmax scores p this is softmax(log(p) / T): with one temperature for all labels exactly the
    temperature scaling of Guo et al. 2017, equation 9, because log(p) differs from the logits by a
    constant. Of independent scores it is sigmoid(logit(p) / T), label by label.

    Args:
        scores: float32 (N, M); a row may hold NaN, which stays.
        temperatures: M, above 0; above 1 less confident, below 1 more.
        multi_label: the scores are independent of each other (sigmoid).

    Returns:
        float32 (N, M).
    """
    # In float64: LEAST_SCORE has no neighbour below one in float32.
    safe = np.clip(scores.astype(np.float64), LEAST_SCORE, 1 - LEAST_SCORE)
    divided_by = np.asarray(temperatures, np.float64)
    if multi_label:
        logits = np.log(safe) - np.log1p(-safe)
        return np.asarray(1 / (1 + np.exp(-logits / divided_by)), np.float32)
    logits = np.log(safe) / divided_by
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)
