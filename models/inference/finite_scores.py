"""Watch that scores are finite: half precision overflows with some weights and clips."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.boxes import FloatArray

# From arrays to scores, one row per clip or box.
Score = Callable[..., FloatArray]

log = logging.getLogger(__name__)


class FiniteScores:
    """Scores in the chosen precision, and in float32 from the first that are not finite.

    The wider network is built once, when it is needed, and kept for the rest of the run. Scores
    that are not finite in float32 either are returned as they are; the caller drops them.

    Args:
        score: the network in the chosen precision.
        precision: of it.
        widen: builds the same network in float32.
    """

    def __init__(self, score: Score, precision: str, widen: Callable[[], Score]) -> None:
        self.precision = precision
        self._score, self._widen = score, widen

    def __call__(self, *inputs: NDArray[Any]) -> FloatArray:
        """Score arrays as the network takes them; float32, one row per clip or box."""
        scores = self._score(*inputs)
        if self.precision == "float32" or np.isfinite(scores).all():
            return scores
        log.warning(
            "scores in %s are not finite, the weights leave its range: float32 is used from here "
            "on; recognizer.precision=float32 uses it from the start",
            self.precision,
        )
        self._score, self.precision = self._widen(), "float32"
        return self._score(*inputs)
