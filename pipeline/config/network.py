"""A network before it has weights, as the files of `configs/recognizer` describe it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, PositiveInt

from pipeline.config.loading import Section, load_sections
from pipeline.errors import ConfigError


class HeadConfig(Section):
    """The classifier of a network."""

    in_channels: PositiveInt = Field(description="channels that the network gives it")
    num_classes: PositiveInt | None = Field(
        None, description="as in mmaction2's configurations; must be that of the network"
    )
    spatial_type: Literal["avg", "max"] = Field(
        "avg", description="avg | max; how the features of a clip are pooled"
    )
    dropout_ratio: float = Field(ge=0.0, lt=1.0, description="probability, in training")


class ModelConfig(Section):
    """A network before it has weights; `configs/recognizer` has examples."""

    architecture: str = Field(description="a name, as `behaviour-stream describe` lists them")
    num_classes: PositiveInt = Field(description="outputs of the classifier")
    multi_label: bool = Field(description="several classes may be true at the same time")
    cls_head: HeadConfig = Field(description="the classifier")


def load_model_config(path: Path) -> ModelConfig:
    """Read a file of `configs/recognizer`.

    Raises:
        ConfigError: naming the file and the key.
    """
    try:
        return load_sections(ModelConfig, path, (), "configs/recognizer")
    except ConfigError as error:
        named = str(error).startswith(str(path))  # it could not be read, or a line is wrong
        raise ConfigError(str(error) if named else f"{path}: {error}") from error
