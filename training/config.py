"""The configuration of a training run: one frozen model, wrong keys named by their path."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from pydantic import model_validator as validator

from pipeline.commands.options import DEFAULTS, PROJECT
from pipeline.config.loading import load_sections, read_yaml
from pipeline.config.schema import DetectorConfig, TrackerConfig
from pipeline.config.section import Section

TRAIN_DEFAULTS = PROJECT / "configs" / "train" / "default.yaml"
SHARED_WITH_PIPELINE = ("detector", "tracker", "device")
LISTED_IN = "configs/train/default.yaml, and configs/default.yaml for detector and tracker,"

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
BelowOne = Annotated[float, Field(ge=0.0, lt=1.0)]


class DataConfig(Section):
    """Which labels, and how people are cut out."""

    labels: tuple[str, ...] | None
    multi_label: bool | None
    fps: PositiveFloat
    min_track_share: Fraction
    val_share: BelowOne
    ava_start_s: float
    cache: Path


class NetworkConfig(Section):
    """Where the weights come from, and which of them are trained."""

    weights: str
    architecture: str | None
    name: str | None
    dropout: BelowOne
    frozen_stages: Annotated[int, Field(ge=-1, le=4)]
    norm_eval: bool
    activation_checkpointing: bool
    half: bool


class InputConfig(Section):
    """What differs in the network's input."""

    clip_len: PositiveInt | None
    frame_interval: PositiveInt | None
    target_fps: PositiveFloat | None
    crop_size: PositiveInt | None
    crop_margin: NonNegativeFloat | None


class SamplingConfig(Section):
    """What an epoch draws."""

    clips_per_epoch: PositiveInt | None
    balance: Literal["class", "class_and_group", "loss", "none"]


class AugmentationConfig(Section):
    """What may differ between two views of a clip."""

    flip: bool
    never_flip: tuple[str, ...]
    mirror_labels: dict[str, str]
    speed: BelowOne
    scale: BelowOne
    shift: BelowOne
    jitter: BelowOne
    cut_share: Fraction
    max_cut: Annotated[float, Field(ge=0.0, lt=0.5)]
    blur_share: Fraction
    grey_share: Fraction
    colour: NonNegativeFloat


class LossConfig(Section):
    """What is minimized."""

    label_smoothing: BelowOne
    focal_gamma: NonNegativeFloat


class OptimizerConfig(Section):
    """How weights are changed."""

    name: Literal["adamw", "sgd"]
    learning_rate: PositiveFloat
    backbone_share: NonNegativeFloat
    weight_decay: NonNegativeFloat
    momentum: BelowOne
    max_gradient_norm: PositiveFloat


class ScheduleConfig(Section):
    """How the learning rate changes."""

    name: Literal["cosine", "step"]
    warm_up_share: BelowOne
    step_at: tuple[Fraction, ...]
    step_factor: Fraction


class LoopConfig(Section):
    """How long, how much at once, on what."""

    epochs: PositiveInt
    batch_size: PositiveInt
    accumulate: PositiveInt
    precision: Literal["auto", "float32", "bfloat16", "float16"]
    ema_decay: BelowOne
    patience: PositiveInt | None
    seed: NonNegativeInt
    workers: NonNegativeInt
    devices: PositiveInt
    threads: PositiveInt | None
    save_every_s: PositiveFloat


class TrainConfig(Section):
    """Everything; `configs/train/default.yaml` has each key with its meaning."""

    detector: DetectorConfig
    tracker: TrackerConfig
    device: str = Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")
    data: DataConfig
    model: NetworkConfig
    input: InputConfig
    sampling: SamplingConfig
    augmentation: AugmentationConfig
    loss: LossConfig
    optimizer: OptimizerConfig
    schedule: ScheduleConfig
    loop: LoopConfig

    @validator(mode="after")
    def _labels_differ(self) -> TrainConfig:
        labels = self.data.labels or ()
        if len(set(labels)) != len(labels):
            raise ValueError(f"data.labels has a label twice: {', '.join(labels)}")
        return self


def load_train_config(override: Path | None, settings: list[str]) -> TrainConfig:
    """Merge the defaults, the user's file and single settings, and check the result.

    Args:
        override: YAML file with what differs, or None.
        settings: `section.key=value` texts.

    Raises:
        ConfigError: naming the key, what was given and what was expected.
    """
    pipeline = read_yaml(DEFAULTS)
    shared = {name: pipeline[name] for name in SHARED_WITH_PIPELINE}
    return load_sections(
        TrainConfig, shared | read_yaml(TRAIN_DEFAULTS), override, settings, LISTED_IN
    )
