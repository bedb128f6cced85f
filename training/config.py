"""The configuration of a training run: one frozen model, wrong keys named by their path."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from pydantic import model_validator as validator

from pipeline.config.document import default_yaml, json_schema_text, reference_tables, write
from pipeline.config.loading import Section, UserPath, UserPathOrName, load_sections
from pipeline.config.schema import DetectorConfig, Device, TrackerConfig

SHARED_WITH_PIPELINE = ("detector", "tracker", "device")
LISTED_IN = "configs/train/default.yaml, and configs/default.yaml for detector and tracker,"
PREAMBLE = """\
# yaml-language-server: $schema=schema.json
# Every key of `behaviour-stream train` with its default, beside detector, tracker and device, which
# are those of configs/default.yaml; written by `python -m training.config`.
# A file given with --config holds only what differs; --set section.key=value changes one key.
"""
REFERENCE_PAGE = """\
# Configuration of training

Written from `training/config.py` by `python -m training.config`; do not edit it here.

These are the keys of `behaviour-stream train --config FILE` and `--set section.key=value`, which
work as described in [Configuration](configuration.md). The sections `detector` and `tracker` and
the key `device` are the same as there.
"""

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
BelowOne = Annotated[float, Field(ge=0.0, lt=1.0)]


class DataConfig(Section):
    """Which labels, and how people are cut out."""

    labels: tuple[str, ...] | None = Field(
        None,
        description="the classes in order, e.g. [walk, run]; null: every label that occurs, sorted",
    )
    multi_label: bool | None = Field(
        None,
        description="several labels may be true at the same time; null: true if a sample has "
        "several",
    )
    people: Literal["tracked", "whole_frame"] = Field(
        "tracked",
        description="where no box is given; tracked: the people that are found, as the pipeline "
        "does; whole_frame: the frame as it is, as in papers",
    )
    fps: PositiveFloat = Field(
        10.0,
        description="frames per second that are processed, as live.detect_fps",
    )
    min_track_share: Fraction = Field(
        0.6,
        description="fraction of the sample (or of a clip, if that is shorter) for which a person "
        "must be detected",
    )
    group_labels: tuple[str, ...] | None = Field(
        None,
        description="labels that are shown by a group of people, e.g. [fight, hug]; all others are "
        "a person's. null: as the checkpoint has it",
    )
    val_share: BelowOne = Field(
        0.2,
        description="fraction of the samples held out for validation where no split is given; 0: "
        "none",
    )
    ava_start_s: float = Field(
        0.0, description="subtracted from the times of an AVA file; 900 for AVA's own cuts"
    )
    cache: UserPath = Field(
        Path("runs/cache"),
        description="folder of the person crops, shared by all runs; may be deleted",
    )


class NetworkConfig(Section):
    """Where the weights come from, and which of them are trained."""

    weights: UserPathOrName = Field(
        "models/weights/slowfast_compact.safetensors",
        description="checkpoint to start from (--from), of this program, mmaction2, PySlowFast or "
        "pytorchvideo",
    )
    state_dict: str | None = Field(
        None,
        description="key of the weights in a checkpoint that holds several, e.g. state_dict_ema "
        "(averaged weights); null: the usual one",
    )
    architecture: UserPathOrName | None = Field(
        None,
        description="instead of weights, untrained: a name (slowfast_compact, slowfast_r50_4x16, "
        "...) or a file of configs/recognizer",
    )
    name: str | None = Field(
        None, description="of the model in events; null: the name of the output folder"
    )
    dropout: BelowOne | None = Field(
        None,
        description="probability, in front of the classifier; null: that of the file in "
        "`architecture`, else 0.2",
    )
    frozen_stages: Annotated[int, Field(ge=-1, le=4)] = Field(
        -1, description="-1: none; 0: the stem is not trained; n: nor the first n stages (up to 4)"
    )
    norm_eval: bool = Field(
        False, description="batch norms keep the statistics that they came with"
    )
    activation_checkpointing: bool = Field(False, description="less memory, a third more time")
    half: bool = Field(True, description="the finished file stores float16: half the size")


class InputConfig(Section):
    """What differs in the network's input."""

    clip_len: PositiveInt | None = Field(None, description="frames of a clip")
    frame_interval: PositiveInt | None = Field(
        None, description="frames at target_fps between two of them"
    )
    target_fps: PositiveFloat | None = Field(
        None, description="the frame rate frame_interval is counted in"
    )
    crop_size: PositiveInt | None = Field(None, description="side of a person crop, pixels")
    crop_margin: NonNegativeFloat | None = Field(
        None, description="added on each side, fraction of the box's longer side"
    )
    group_margin: NonNegativeFloat | None = Field(
        None, description="added on each side of a group, fraction of its hull's longer side"
    )


class TestViewsConfig(Section):
    """How samples are scored at the end of a run."""

    views: PositiveInt | None = Field(
        None, description="points in time per person, evenly spread; null: every half second"
    )
    crops: Literal[1, 3] = Field(
        1, description="1: the middle; 3: also to the left and the right of it"
    )


class SamplingConfig(Section):
    """What an epoch draws."""

    clips_per_epoch: PositiveInt | None = Field(
        None, description="null: one per person and sample, but at least 256"
    )
    balance: Literal["class", "class_and_group", "loss", "none"] = Field(
        "class",
        description="class: each is drawn equally often; class_and_group: and each group in it; "
        "loss: rare ones weigh more; none",
    )


class AugmentationConfig(Section):
    """What may differ between two views of a clip."""

    flip: bool = Field(True, description="mirror half of the clips")
    never_flip: tuple[str, ...] = Field((), description="labels for which left and right matter")
    mirror_labels: dict[str, str] = Field(
        {}, description="labels that become each other, e.g. {turn_left: turn_right}"
    )
    speed: BelowOne = Field(
        0.15, description="fraction by which playback is faster or slower, at most"
    )
    scale: BelowOne = Field(
        0.2, description="fraction by which people are larger or smaller, at most"
    )
    shift: BelowOne = Field(
        0.08, description="up to this fraction of the crop sideways, up or down"
    )
    jitter: BelowOne = Field(
        0.008, description="deviation from frame to frame, fraction of the crop"
    )
    cut_share: Fraction = Field(
        0.5, description="fraction of the clips that are cut off, as at the border of an image"
    )
    max_cut: Annotated[float, Field(ge=0.0, lt=0.5)] = Field(
        0.3, description="largest fraction of the crop that is then missing on a side"
    )
    blur_share: Fraction = Field(
        0.3, description="fraction of the clips that are blurred, as if people were far away"
    )
    grey_share: Fraction = Field(0.15, description="fraction of the clips without colour")
    infrared_share: Fraction = Field(
        0.0, description="fraction of the clips that look as if recorded at night in infrared"
    )
    cutout_share: Fraction = Field(
        0.0, description="fraction of the clips in which a rectangle is hidden"
    )
    mix_share: Fraction = Field(
        0.0,
        description="fraction of the clips behind which an image of another clip shows through, "
        "so that the place alone decides nothing",
    )
    colour: NonNegativeFloat = Field(
        1.0, description="strength of brightness, contrast, gamma and tint; 0: off"
    )


class LossConfig(Section):
    """What is minimized."""

    label_smoothing: BelowOne = Field(
        0.1, description="fraction of a label that is spread over all classes"
    )
    focal_gamma: NonNegativeFloat = Field(
        0.0, description="above 0: focal loss, examples that are already correct count less"
    )


class OptimizerConfig(Section):
    """How weights are changed."""

    name: Literal["adamw", "sgd"] = Field("adamw", description="adamw | sgd")
    learning_rate: PositiveFloat = Field(
        0.001, description="highest of the schedule, for the classifier"
    )
    backbone_share: NonNegativeFloat = Field(
        0.5, description="fraction of it, for everything in front of the classifier"
    )
    weight_decay: NonNegativeFloat = Field(
        0.05, description="of weights; batch norms and biases have none"
    )
    momentum: BelowOne = Field(0.9, description="of sgd")
    max_gradient_norm: PositiveFloat = Field(
        5.0, description="gradients with a larger norm are scaled down to it"
    )


class ScheduleConfig(Section):
    """How the learning rate changes."""

    name: Literal["cosine", "step"] = Field("cosine", description="cosine | step")
    warm_up_share: BelowOne = Field(
        0.05, description="fraction of all steps in which the learning rate rises from 0"
    )
    step_at: tuple[Fraction, ...] = Field(
        (0.6, 0.85), description="step: fractions of the run at which the learning rate falls"
    )
    step_factor: Fraction = Field(0.1, description="step: to this fraction")


class LoopConfig(Section):
    """How long, in which batches, on which devices."""

    epochs: PositiveInt = Field(25, description="at most; of sampling.clips_per_epoch clips each")
    batch_size: PositiveInt = Field(8, description="clips per batch and device")
    accumulate: PositiveInt = Field(
        1, description="batches whose gradients are added up for one step"
    )
    precision: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description="auto | float32 | bfloat16 | float16; auto: the fastest the device has"
    )
    ema_decay: BelowOne = Field(
        0.998, description="moving average of the weights, which is what is saved; 0: none"
    )
    patience: PositiveInt | None = Field(
        10,
        description="epochs without a better validation accuracy or loss after which it stops; "
        "null: never",
    )
    seed: NonNegativeInt = Field(0, description="of weights, draws and views")
    workers: NonNegativeInt = Field(
        0, description="processes that read clips; 0: none, right for a CPU; about 8 for a GPU"
    )
    devices: PositiveInt = Field(1, description="GPUs (or CPU processes) that train together")
    threads: PositiveInt | None = Field(
        None, description="of PyTorch on the CPU; null: its own choice"
    )
    save_every_s: PositiveFloat = Field(
        300.0, description="interval at which a long epoch is saved too"
    )


class TrainConfig(Section):
    """The whole configuration of a training run; `TrainConfig()` holds the defaults."""

    detector: DetectorConfig = Field(
        default_factory=DetectorConfig, description="the person detector"
    )
    tracker: TrackerConfig = Field(default_factory=TrackerConfig, description="the tracker")
    device: Device = Field("auto", description="auto | cpu | cuda:N")
    data: DataConfig = Field(
        default_factory=DataConfig, description="which labels, and how people are cut out"
    )
    model: NetworkConfig = Field(
        default_factory=NetworkConfig,
        description="where the weights come from, and which of them are trained",
    )
    input: InputConfig = Field(
        default_factory=InputConfig,
        description="of the network; null: as the checkpoint or the architecture has it",
    )
    sampling: SamplingConfig = Field(
        default_factory=SamplingConfig, description="what an epoch draws"
    )
    augmentation: AugmentationConfig = Field(
        default_factory=AugmentationConfig, description="how two views of a clip may differ"
    )
    loss: LossConfig = Field(default_factory=LossConfig, description="what is minimized")
    test: TestViewsConfig = Field(
        default_factory=TestViewsConfig,
        description="how validation and test samples are scored at the end of a run",
    )
    optimizer: OptimizerConfig = Field(
        default_factory=OptimizerConfig, description="how weights are changed"
    )
    schedule: ScheduleConfig = Field(
        default_factory=ScheduleConfig, description="how the learning rate changes"
    )
    loop: LoopConfig = Field(
        default_factory=LoopConfig, description="how long, in which batches, on which devices"
    )

    @validator(mode="after")
    def _labels_differ(self) -> TrainConfig:
        labels = self.data.labels or ()
        if len(set(labels)) != len(labels):
            raise ValueError(f"data.labels has a label twice: {', '.join(labels)}")
        return self


def load_train_config(override: Path | None, settings: list[str]) -> TrainConfig:
    """Apply the user's file and single settings to the defaults, and check the result.

    Args:
        override: YAML file with what differs, or None.
        settings: `section.key=value` texts.

    Raises:
        ConfigError: naming the key, what was given and what was expected.
    """
    return load_sections(TrainConfig, override, settings, LISTED_IN)


def documents() -> dict[str, str]:
    """Return the texts of all files about the configuration of training, by their path."""
    return {
        "configs/train/default.yaml": default_yaml(TrainConfig, PREAMBLE, SHARED_WITH_PIPELINE),
        "configs/train/schema.json": json_schema_text(TrainConfig),
        "docs/train-configuration.md": f"{REFERENCE_PAGE}\n"
        + reference_tables(TrainConfig, SHARED_WITH_PIPELINE),
    }


if __name__ == "__main__":
    for name, text in documents().items():
        write(Path(name), text)
