"""The configuration: one frozen model, loaded once, wrong keys and values named by their path."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from pipeline.config.bridges import BridgesConfig
from pipeline.config.delivery import RedisConfig
from pipeline.config.live import CameraConfig, LiveConfig
from pipeline.config.loading import load_sections, read_yaml
from pipeline.config.section import Section
from pipeline.errors import ConfigError

Share = Field(ge=0.0, le=1.0)
FRAMES_PER_GAP = 1.5  # a frame may come a little late and still leave no hole
CameraName = Annotated[str, Field(pattern=r"^[\w.-]+$")]


class DetectorConfig(Section):
    """Which person detector, and how sure it must be."""

    weights: str
    confidence: float = Share
    iou: float = Share
    image_size: PositiveInt
    batch_size: PositiveInt
    download_decide_s: PositiveFloat
    download_limit_s: PositiveFloat


class TrackerConfig(Section):
    """Which tracker, in the terms of the DeepSORT paper."""

    name: Literal["deepsort", "bytetrack", "botsort"]
    max_age: PositiveInt
    n_init: PositiveInt
    max_iou_distance: float = Share
    max_cosine_distance: float = Field(ge=0.0, le=2.0)
    nn_budget: PositiveInt
    encoder_wh: tuple[PositiveInt, PositiveInt]


class ClipConfig(Section):
    """The clips; what is None comes with the recognizer."""

    clip_len: PositiveInt | None
    frame_interval: PositiveInt | None
    target_fps: PositiveFloat | None
    crop_size: PositiveInt | None
    crop_margin: NonNegativeFloat | None
    stride_s: PositiveFloat
    max_gap_s: PositiveFloat


class RecognizerConfig(Section):
    """Which recognizer, and how it computes."""

    weights: str
    mode: Literal["crop", "scene"]
    backend: Literal["auto", "torch", "openvino"]
    precision: Literal["auto", "float32", "bfloat16", "float16"]
    batch_size: PositiveInt


class ActionOverride(Section):
    """What differs for one action."""

    start_threshold: float | None = Field(None, ge=0.0, le=1.0)
    end_threshold: float | None = Field(None, ge=0.0, le=1.0)
    min_duration_s: NonNegativeFloat | None = None
    min_gap_s: NonNegativeFloat | None = None


class DecisionConfig(Section):
    """When scores become events."""

    smoothing_s: NonNegativeFloat
    start_threshold: float = Share
    end_threshold: float = Share
    min_duration_s: NonNegativeFloat
    min_gap_s: NonNegativeFloat
    update_interval_s: NonNegativeFloat
    background: tuple[str, ...]
    per_action: dict[str, ActionOverride]

    def for_action(self, action: str) -> DecisionConfig:
        """The same section with what `per_action` says of this action put in place."""
        override = self.per_action.get(action, ActionOverride())
        return self.model_copy(update=override.model_dump(exclude_none=True))

    @model_validator(mode="after")
    def _end_below_start(self) -> DecisionConfig:
        for action in ("", *self.per_action):
            rule = self.for_action(action)
            if rule.end_threshold > rule.start_threshold:
                key = f"per_action.{action}.end_threshold" if action else "end_threshold"
                raise ValueError(
                    f"{key} ({rule.end_threshold}) must not be above its start_threshold "
                    f"({rule.start_threshold})"
                )
        return self


class ReplayConfig(Section):
    """How recorded files are read."""

    files_at_once: PositiveInt


class QueueConfig(Section):
    """How many items wait between two threads."""

    frames: PositiveInt
    clips: PositiveInt
    results: PositiveInt


class PipelineConfig(Section):
    """Everything; `configs/default.yaml` has each key with its meaning."""

    detector: DetectorConfig
    tracker: TrackerConfig
    clip: ClipConfig
    recognizer: RecognizerConfig
    decision: DecisionConfig
    redis: RedisConfig
    replay: ReplayConfig
    live: LiveConfig
    cameras: dict[CameraName, CameraConfig]
    queues: QueueConfig
    bridges: BridgesConfig
    device: str = Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")
    output: Path

    @model_validator(mode="after")
    def _clips_without_holes(self) -> PipelineConfig:
        least = FRAMES_PER_GAP / self.clip.max_gap_s
        rates = {f"cameras.{name}": one.detect_fps for name, one in self.cameras.items()}
        for section, fps in (rates | {"live": self.live.detect_fps}).items():
            if fps is not None and fps < least:
                raise ValueError(
                    f"{section}.detect_fps ({fps:g}) leaves holes that no clip may have "
                    f"(clip.max_gap_s): at least {least:g}, or a longer max_gap_s"
                )
        return self


def load_config(
    defaults: Path, override: Path | None = None, settings: Sequence[str] = ()
) -> PipelineConfig:
    """Merge the defaults, the user's file and single settings, and check the result.

    Args:
        defaults: YAML file with every key.
        override: YAML file with what differs, or None.
        settings: `section.key=value` texts; the value is read as YAML.

    Raises:
        ConfigError: naming the key, what was given and what was expected.
    """
    return load_sections(
        PipelineConfig, read_yaml(defaults), override, settings, "configs/default.yaml"
    )


class HeadConfig(Section):
    """The classifier of a network."""

    in_channels: PositiveInt
    dropout_ratio: float = Field(ge=0.0, lt=1.0)


class ModelConfig(Section):
    """A network before it has weights; `configs/recognizer` has examples."""

    architecture: str
    num_classes: PositiveInt
    multi_label: bool
    cls_head: HeadConfig


def load_model_config(path: Path) -> ModelConfig:
    """A file of `configs/recognizer`.

    Raises:
        ConfigError: naming the file and the key.
    """
    try:
        return load_sections(ModelConfig, read_yaml(path), None, (), "configs/recognizer")
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
