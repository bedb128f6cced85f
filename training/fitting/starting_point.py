"""The network that a run starts from: a checkpoint with a fitting classifier, or untrained."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from models.checkpoints.checkpoint import CheckpointError
from models.slowfast.input_spec import InputSpec
from models.slowfast.recognizer3d import Recognizer3D
from models.slowfast.training_record import TrainingRecord
from models.slowfast.zoo import ARCHITECTURES
from pipeline.components import untrained_recognizer
from pipeline.config.network import ModelConfig, load_model_config
from pipeline.config.shipped_files import PROJECT, find_file
from pipeline.errors import ConfigError
from pipeline.recognizer_weights import load_named_recognizer
from training.config import NetworkConfig, TrainConfig

DEFAULT_DROPOUT = 0.2  # where neither the configuration nor the file of an architecture has one
INIT_STD = 0.01  # of a fresh classifier, as in `models.slowfast.heads`

log = logging.getLogger(__name__)


def build_starting_point(
    config: TrainConfig, labels: Sequence[str], *, multi_label: bool, name: str, project: Path
) -> Recognizer3D:
    """Build the network that a run starts from, with a classifier for its labels.

    Args:
        config: of the run; its seed decides all fresh weights.
        labels: the classes.
        multi_label: several labels may be true at the same time.
        name: of the new model.
        project: where relative paths of the configuration may lie.

    Raises:
        ConfigError: naming the key of what cannot be trained.
    """
    section = config.model
    torch.manual_seed(config.loop.seed)
    dropout = DEFAULT_DROPOUT
    if section.architecture is not None:
        described = architecture_file(section, project)
        model = build_architecture(section.architecture, described)
        if described is not None:
            dropout = described.cls_head.dropout_ratio
            _check_classes(section.architecture, described, labels, multi_label=multi_label)
        model.training_record = TrainingRecord()  # untrained: it has seen nothing
    else:
        model = load_checkpoint(section.weights, section.state_dict, project)
    changes = config.input.model_dump()
    spec = fit_input(model.input_spec, changes, name=name, multi_label=multi_label)
    if section.dropout is not None:
        dropout = section.dropout
    return with_classes(model, spec, labels, dropout=dropout, group_labels=config.data.group_labels)


def describe_origin(section: NetworkConfig) -> str:
    """Name the file or the architecture that a run starts from."""
    return section.weights if section.architecture is None else f"scratch ({section.architecture})"


def load_checkpoint(
    weights: str | Path, state_dict: str | None = None, project: Path = PROJECT
) -> Recognizer3D:
    """Read any checkpoint that the pipeline reads, except networks with a RoI head.

    Args:
        weights: path of the checkpoint, or the name of a public one.
        state_dict: key of the weights in a file with several; None: the usual one.
        project: where a relative path may lie.

    Raises:
        ConfigError: if it cannot be read or cannot be trained on clips.
    """
    try:
        return _trainable(load_named_recognizer(str(weights), project, state_dict=state_dict))
    except (CheckpointError, ConfigError) as error:
        raise ConfigError(f"model.weights: {error}") from error


def architecture_file(section: NetworkConfig, project: Path) -> ModelConfig | None:
    """Read the file of configs/recognizer that the network is described in; None for a name.

    Raises:
        ConfigError: naming the file and the key.
    """
    name = section.architecture
    if name is None or not name.endswith((".yaml", ".yml")):
        return None
    return load_model_config(find_file(name, project))


def _check_classes(
    name: str, config: ModelConfig, labels: Sequence[str], *, multi_label: bool
) -> None:
    if config.num_classes != len(labels):
        shown = ", ".join(labels[:5]) + (", ..." if len(labels) > 5 else "")
        raise ConfigError(
            f"model.architecture: num_classes is {config.num_classes} in {name}, but the data has "
            f"{len(labels)} labels ({shown}); change the file, or name all labels in data.labels"
        )
    if config.multi_label != multi_label:
        several = "several labels" if multi_label else "one label each"
        raise ConfigError(
            f"model.architecture: multi_label is {str(config.multi_label).lower()} in {name}, but "
            f"the samples have {several}; set data.multi_label, or change the file"
        )


def build_architecture(name: str, described: ModelConfig | None = None) -> Recognizer3D:
    """Build an untrained network.

    Args:
        name: of an architecture, or of a file of configs/recognizer.
        described: the content of that file; None: `name` is an architecture.

    Raises:
        ConfigError: if there is no such architecture, or a key of the file does not go with it.
    """
    if described is not None:
        try:
            return _trainable(untrained_recognizer(described))
        except ConfigError as error:
            raise ConfigError(f"model.architecture: {name}: {error}") from error
    if name not in ARCHITECTURES:
        raise ConfigError(
            f"model.architecture: there is no {name}; there are {', '.join(ARCHITECTURES)}"
        )
    return _trainable(ARCHITECTURES[name](2))


def _trainable(model: Recognizer3D) -> Recognizer3D:
    if model.architecture.head == "roi":
        raise ConfigError(
            f"{model.input_spec.name} has a RoI head, which answers for people in whole scenes; "
            "training is on clips of one person: start from a network without one"
        )
    return model


def fit_input(
    spec: InputSpec, changes: Mapping[str, Any], *, name: str, multi_label: bool
) -> InputSpec:
    """Apply the changes of the configuration to the input of the network.

    Args:
        spec: as the checkpoint or the architecture has it.
        changes: fields that differ; None keeps what there is.
        name: of the new model.
        multi_label: several labels may be true at the same time.

    Raises:
        ConfigError: naming the field that cannot work.
    """
    given = {field: value for field, value in changes.items() if value is not None}
    try:
        return replace(spec, **given, name=name, multi_label=multi_label)
    except ValueError as error:
        raise ConfigError(f"input: {error}") from error


def with_classes(
    model: Recognizer3D,
    spec: InputSpec,
    labels: Sequence[str],
    *,
    dropout: float,
    group_labels: Sequence[str] | None = None,
) -> Recognizer3D:
    """Keep the backbone and fit a classifier, a fresh one unless the classes are the same.

    Args:
        model: to start from.
        spec: of the new network, its labels aside.
        labels: the classes.
        dropout: in front of the classifier.
        group_labels: the classes of groups of people; None: those that the network had.

    Raises:
        ConfigError: if the input does not go with the network, or a group's label is no class.
    """
    if group_labels is None:
        group_labels = [label for label in spec.group_labels if label in labels]
    unknown = sorted(set(group_labels).difference(labels))
    if unknown:
        raise ConfigError(
            f"data.group_labels: there is no label {', '.join(unknown)}; "
            f"there are {', '.join(labels)}"
        )
    spec = replace(spec, labels=tuple(labels), group_labels=tuple(dict.fromkeys(group_labels)))
    try:
        fitted = Recognizer3D(model.architecture, spec, dropout_ratio=dropout)
    except ValueError as error:
        raise ConfigError(f"input: {error}") from error
    fitted.backbone.load_state_dict(model.backbone.state_dict())
    fitted.training_record = model.training_record
    if spec.labels == model.input_spec.labels:
        fitted.cls_head.load_state_dict(model.cls_head.state_dict())
    else:
        log.info("a fresh classifier for %d classes", len(labels))
        nn.init.normal_(fitted.cls_head.fc_cls.weight, std=INIT_STD)
        nn.init.zeros_(fitted.cls_head.fc_cls.bias)
    return fitted.train()
