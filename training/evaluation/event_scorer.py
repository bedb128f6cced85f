"""What the evaluation of events needs of a model, or of observations in its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from pipeline.stages.subject_decider import DecisionPolicy
from training.console import ProgressPrinter
from training.evaluation.video_scores import VideoScores


class EventScorer(Protocol):
    """Interface of what scores the people of whole videos."""

    @property
    def name(self) -> str:
        """Name of the model in events."""
        ...

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels in the order of the scores."""
        ...

    @property
    def background(self) -> tuple[str, ...]:
        """Labels that never become an event."""
        ...

    @property
    def event_policy(self) -> DecisionPolicy:
        """Decision rules as configured, or as the weights have them where nothing is."""
        ...

    def score_video(self, video: Path, progress: ProgressPrinter | None) -> VideoScores:
        """Return the scores of the people of a video.

        Raises:
            SourceError: if it cannot be read to its end.
        """
        ...

    def document(self) -> dict[str, Any]:
        """Describe the recognizer for the JSON document."""
        ...

    def parts_document(self) -> dict[str, Any]:
        """Describe detector and tracker for the JSON document."""
        ...
