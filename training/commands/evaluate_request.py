"""What the user asked of `evaluate`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import ConfigError
from training.config import TrainConfig
from training.evaluation.view_options import WholeFrameViews
from training.labels.samples import Split
from training.register import DEFAULT_REGISTER


@dataclass(frozen=True, slots=True)
class FoldsRequest:
    """What a cross-validation needs beside the data."""

    folds: int
    training: TrainConfig
    also: tuple[Path, ...]  # labels that every fold is trained on
    output: Path  # folder of the models


@dataclass(frozen=True, slots=True)
class EvaluateRequest:
    """What the user asked for, beside the configuration.

    Raises:
        ConfigError: if options do not go together.
    """

    data: Path | None  # labelled clips
    events: Path | None  # true intervals of long videos
    everyday: Path | None  # video in which no action is to be found
    tracking: Path | None  # MOTChallenge ground truth of `video`
    video: Path | None
    detection: Path | None  # images and labels in YOLO's format
    label_file: Path | None  # names of numbered labels
    through_pipeline: bool
    whole_frame: WholeFrameViews | None  # None: people, not whole frames
    split: Split | None  # None: all
    aliases: Mapping[str, str]  # label of the data -> label of the model
    actions: tuple[str, ...]  # whose events are judged; empty: those that are labelled
    iou: float
    false_alarms_per_hour: float | None  # None: no rules are searched
    seed: int
    cache: Path
    json_file: Path | None
    report: Path | None
    rules_file: Path | None
    command: str  # as it was typed, for the report
    folds: FoldsRequest | None = None  # None: the model is there already
    register: Path = DEFAULT_REGISTER
    calibrate: bool = False
    false_alarm_share: float = 0.05  # of the clips without an action, for its threshold
    weights_file: Path | None = None  # gets what was chosen
    observations: tuple[str, ...] = ()  # of the cameras that `events` names, instead of its videos

    def __post_init__(self) -> None:
        sources = self.data, self.events, self.everyday, self.tracking, self.detection
        if all(source is None for source in sources):
            raise ConfigError(
                "nothing to evaluate: give --data, --events, --everyday, --tracking or --detection"
            )
        if self.whole_frame is not None and (self.data is None or self.through_pipeline):
            raise ConfigError(
                "--whole-frame scores labelled clips without detector and tracker: give --data, "
                "and no --through-pipeline"
            )
        self._check_folds()
        self._check_weights()
        self._check_observations()
        if self.report is not None and self.data is self.events is None:
            raise ConfigError("--report shows clips and events: give --data or --events")
        if (self.tracking is None) != (self.video is None):
            raise ConfigError("--tracking and --video belong together: give both")
        if self.false_alarms_per_hour is not None and self.events is None:
            raise ConfigError("--target-false-alarms is searched on long videos: give --events")
        if self.rules_file is not None and self.false_alarms_per_hour is None:
            raise ConfigError("--write-config writes what --target-false-alarms finds: give both")

    def _check_observations(self) -> None:
        others = self.data, self.everyday, self.tracking, self.detection, self.report
        if self.observations and (
            self.events is None or any(others) or self.folds or self.weights_file
        ):
            raise ConfigError(
                "--observations stand for the videos of --events: give it, and of the rest only "
                "--action, --iou, --target-false-alarms, --write-config and --json"
            )

    def _check_folds(self) -> None:
        if self.folds is None:
            return
        if self.data is None:
            raise ConfigError("--folds distributes labelled clips: give --data")
        if self.events is not None:
            raise ConfigError("--events is judged by one model: without --folds")
        if self.whole_frame is not None:
            raise ConfigError(
                "--whole-frame tests published checkpoints: without --folds (--train-set "
                "data.people=whole_frame trains and judges folds on whole frames)"
            )

    @property
    def calibrates(self) -> bool:
        """True if temperatures are fitted and thresholds chosen on clips."""
        return self.data is not None and (self.calibrate or self.weights_file is not None)

    def _check_weights(self) -> None:
        if self.calibrate and self.data is None:
            raise ConfigError("--calibrate is fitted on labelled clips: give --data")
        if self.weights_file is None:
            return
        if (self.data is None) == (self.events is None):
            raise ConfigError(
                "--write-weights takes what one kind of data chose: give --data, or --events with "
                "--target-false-alarms"
            )
        if self.events is not None and self.false_alarms_per_hour is None:
            raise ConfigError("--write-weights with --events: give --target-false-alarms too")
        if self.weights_file.suffix != ".safetensors":
            raise ConfigError(f"--write-weights {self.weights_file}: name it .safetensors")
