"""What the user asked of `evaluate`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import ConfigError
from training.evaluation.view_options import WholeFrameViews
from training.labels.samples import Split


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
        if self.report is not None and self.data is self.events is None:
            raise ConfigError("--report shows clips and events: give --data or --events")
        if (self.tracking is None) != (self.video is None):
            raise ConfigError("--tracking and --video belong together: give both")
        if self.false_alarms_per_hour is not None and self.events is None:
            raise ConfigError("--target-false-alarms is searched on long videos: give --events")
        if self.rules_file is not None and self.false_alarms_per_hour is None:
            raise ConfigError("--write-config writes what --target-false-alarms finds: give both")
