"""Fuse the scores of several recognizers for one subject, label by label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean


@dataclass(slots=True)
class ScoreFusion:
    """The newest scores of each recognizer for one person or group."""

    fresh_s: float  # older scores of another recognizer are of another moment
    _newest: dict[int, tuple[float, Mapping[str, float]]] = field(default_factory=dict)

    def add(self, recognizer: int, pts_s: float, scores: Mapping[str, float]) -> None:
        """Store the scores of one clip.

        Args:
            recognizer: its number.
            pts_s: media time of the clip's newest frame, seconds.
            scores: by label.
        """
        self._newest[recognizer] = pts_s, scores

    def scores(self, labels: Sequence[str], pts_s: float) -> dict[str, float]:
        """Return the mean over the recognizers that have a label and scored it recently.

        Args:
            labels: those of which a score was just added.
            pts_s: now, in media time.
        """
        newest = self._newest.values()
        fresh = [scores for at, scores in newest if pts_s - at <= self.fresh_s]
        return {
            label: fmean([scores[label] for scores in fresh if label in scores]) for label in labels
        }
