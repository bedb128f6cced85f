"""Kept observations in the place of a model: the scores of a run, without computing any."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.backtest.run import settings_for
from pipeline.config.schema import PipelineConfig
from pipeline.errors import ConfigError, SourceError
from pipeline.observations.reader import ObservationReader, ObservationSelection, find_files
from pipeline.stages.subject_decider import DecisionPolicy
from pipeline.types import RecognizedFrame
from training.console import ProgressPrinter
from training.evaluation.video_scores import SeenVideo, VideoScores


class ObservedModel:
    """An `EventScorer` that reads what a run has scored.

    Args:
        sources: files, folders or globs of observations.
        config: its section `decision` is what is evaluated.

    Raises:
        ConfigError: if the observations are of different recognizers.
        SourceError: if there are none, or one of their files cannot be read.
    """

    def __init__(self, sources: Sequence[str], config: PipelineConfig) -> None:
        self._reader = ObservationReader(find_files(sources), ObservationSelection())
        self._check_errors()
        runs = [recording.run for recording in self._reader.recordings]
        kinds = {(run.model, run.labels, run.default_decision) for run in runs}
        if len(kinds) > 1:
            names = ", ".join(sorted({run.model for run in runs}))
            raise ConfigError(f"--observations: of different recognizers ({names}); name its files")
        self.run, self._config = runs[0], config

    @property
    def name(self) -> str:
        """Name of the model in events."""
        return self.run.model

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels in the order of the scores."""
        return self.run.labels

    @property
    def background(self) -> tuple[str, ...]:
        """Labels that never become an event."""
        return self._config.decision.background

    @property
    def event_policy(self) -> DecisionPolicy:
        """Decision rules as configured, or as the weights had them where nothing is."""
        return settings_for(self.run, self._config).policy_of("")  # of no camera in particular

    def score_video(self, video: Path, progress: ProgressPrinter | None) -> VideoScores:
        """Return the scores of the camera that has the name of the file.

        Raises:
            SourceError: if there are no observations of it, or of several runs, or they cannot be
                read.
        """
        runs = [
            recording
            for recording in self._reader.recordings
            if any(camera.camera_id == video.stem for camera in recording.cameras)
        ]
        if len(runs) != 1:
            found = f"of {len(runs)} runs: name the files of one" if runs else "none"
            raise SourceError(f"{video}: observations of the camera {video.stem}: {found}")
        [recording] = runs
        cameras = tuple(one for one in recording.cameras if one.camera_id == video.stem)
        seen = SeenVideo(video, self.labels)
        for one in self._reader.camera_items(cameras[0]):
            if isinstance(one.item, RecognizedFrame):
                if any(each.labels is not None for each in one.item.predictions):
                    raise SourceError(
                        f"{video}: scored by several recognizers, whose scores are fused; "
                        "try their thresholds with backtest"
                    )
                seen.add(one.item)
                if progress is not None:
                    progress.show(f"frames of {video.stem}", len(seen.frame_pts_s), 0)
        self._check_errors()
        return seen.scores()

    def document(self) -> dict[str, Any]:
        """Describe the recognizer for the JSON document."""
        return {"name": self.name, "file": None, "labels": list(self.labels)}

    def parts_document(self) -> dict[str, Any]:
        """Detector and tracker are not known."""
        return {"detector": None, "tracker": None}

    def _check_errors(self) -> None:
        if self._reader.errors:
            raise SourceError(self._reader.errors[0])
        if not self._reader.recordings:
            raise SourceError("--observations: none")
