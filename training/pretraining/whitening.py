"""Turn the features of a teacher into targets of the same importance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.boxes import FloatArray

# Added to every deviation, as a fraction of the middle one: weak directions are mostly noise.
SHRINKAGE = 0.3


@dataclass(frozen=True, slots=True, eq=False)
class Whitening:
    """Principal components with about unit variance, so that no direction is all of the loss."""

    mean: FloatArray  # float32 (D,)
    directions: FloatArray  # float32 (K, D)

    @classmethod
    def fit(cls, features: FloatArray, size: int) -> Whitening:
        """Find the components.

        Args:
            features: float32 (N, D), N >= 2.
            size: K at most; less if there are fewer clips or features.
        """
        mean = features.mean(axis=0)
        _, lengths, rows = np.linalg.svd(features - mean, full_matrices=False)
        size = min(size, len(features) - 1, features.shape[1])
        deviation = lengths[:size] / np.sqrt(len(features))
        floor = SHRINKAGE * max(float(deviation[size // 2]), 1e-6)
        directions = rows[:size] / (deviation + floor)[:, None]
        return cls(np.asarray(mean, np.float32), np.asarray(directions, np.float32))

    def __call__(self, features: FloatArray) -> FloatArray:
        """Float32 (N, D) -> (N, K)."""
        return np.asarray((features - self.mean) @ self.directions.T, np.float32)
