"""The parts of `evaluate` that are about finding and following people, not about what they do."""

from __future__ import annotations

from pathlib import Path

from pipeline.components import build_detector, choose_device, tracker_factory
from pipeline.config.schema import PipelineConfig
from pipeline.errors import ConfigError, SourceError
from pipeline.sources.file_decoder import DecodeError
from training.console import CommandProgress
from training.metrics.detection import (
    LOW_CONFIDENCE,
    DetectionScore,
    evaluate_detection,
)
from training.metrics.tracking import TrackingScore, evaluate_tracking


def score_tracker(
    truth: Path, video: Path, config: PipelineConfig, project: Path, progress: CommandProgress
) -> TrackingScore:
    """What the configured detector and tracker make of a video with ground truth.

    Raises:
        ConfigError: if the ground truth cannot be used.
        SourceError: if the video cannot be read to its end.
    """
    device = choose_device(config.device)
    for path in (truth, video):
        if not path.is_file():
            raise ConfigError(f"{path}: no such file")
    try:
        return evaluate_tracking(
            truth,
            video,
            build_detector(config.detector, project, device),
            tracker_factory(config.tracker, device),
            lambda frame: progress.show(f"frames of {video.name}", frame, 0),
        )
    except ValueError as error:
        raise ConfigError(str(error)) from error
    except DecodeError as error:
        raise SourceError(f"{video}: {error}") from error


def score_detector(
    folder: Path, config: PipelineConfig, project: Path, progress: CommandProgress
) -> DetectionScore:
    """How well the configured detector finds people in labelled images.

    Average precision needs boxes of every confidence; recall and precision are told at
    `detector.confidence`.

    Raises:
        ConfigError: if the folder or one of its files cannot be used.
    """
    section = config.detector.model_copy(update={"confidence": LOW_CONFIDENCE})
    detector = build_detector(section, project, choose_device(config.device))
    try:
        return evaluate_detection(
            folder,
            detector,
            confidence=config.detector.confidence,
            progress=lambda done, total: progress.show("images", done, total),
        )
    except (FileNotFoundError, ValueError) as error:
        raise ConfigError(str(error)) from error
