"""The state of a run on disk, from which it resumes, and the log of its epochs."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch

from pipeline.config.loading import read_yaml
from pipeline.config.yaml_document import yaml_text
from pipeline.errors import ConfigError
from training.config import TrainConfig

STATE, LOG, CONFIG, MODEL = "state.pt", "log.csv", "config.yaml", "model.safetensors"
BEST = "best.pt"


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochRow:
    """One line of the log."""

    epoch: int
    steps: int  # of the run so far
    learning_rate: float  # of the last step
    loss: float
    top1: float | None  # of the augmented training clips
    val_loss: float | None
    val_top1: float | None
    val_mean_class_accuracy: float | None
    val_mean_average_precision: float | None


@dataclass(slots=True)
class RunState:
    """Where a run is, beside the trainer's own state."""

    data: str  # identity of the training set
    epoch: int = 0  # which is under way
    step: int = 0  # done in it
    loss_sum: float = 0.0  # over these steps
    top1_sum: float = 0.0
    rows: list[EpochRow] = field(default_factory=list)
    best: tuple[float, float] | None = None  # quality
    best_epoch: int = -1
    least_loss: float | None = None  # of validation
    improved_epoch: int = -1  # in which the quality or the loss of validation was better than ever
    finished: bool = False  # the last epoch is over; the model is not yet written

    def save(self, output: Path, trainer: Mapping[str, Any]) -> None:
        """Write everything in one step: a kill leaves the old state or the new one."""
        write_tensors(output / STATE, {"run": asdict(self), "trainer": dict(trainer)})

    @classmethod
    def load(cls, output: Path) -> tuple[RunState, dict[str, Any]]:
        """Load the state of a run and of its trainer."""
        content = torch.load(output / STATE, map_location="cpu", weights_only=True)
        values = content["run"]
        values["rows"] = [EpochRow(**row) for row in values["rows"]]
        return cls(**values), content["trainer"]


def write_tensors(path: Path, content: Mapping[str, Any]) -> None:
    """Save in one step."""
    unfinished = path.with_suffix(".part")
    torch.save(dict(content), unfinished)
    unfinished.replace(path)


def write_log(path: Path, rows: Sequence[EpochRow]) -> None:
    """Write a CSV with a line per epoch, all of them each time: no line occurs twice."""
    names = [one.name for one in fields(EpochRow)]
    unfinished = path.with_suffix(".part")
    with unfinished.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerows([_cell(getattr(row, name)) for name in names] for row in rows)
    unfinished.replace(path)


def _cell(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def open_output(output: Path, config: TrainConfig, command: str) -> bool:
    """Make the folder, or check whether the run in it can be resumed.

    Args:
        output: of the run.
        config: of the run.
        command: noted in the configuration that is left there.

    Returns:
        True if an unfinished run of the same configuration is resumed.

    Raises:
        ConfigError: if the folder holds a finished run, or one of another configuration.
    """
    if (output / MODEL).exists():
        raise ConfigError(
            f"--output {output}: a finished run is in it ({MODEL}); take another folder, "
            "or remove it"
        )
    values = config.model_dump(mode="json")
    if (output / CONFIG).exists():
        differing = _differences(read_yaml(output / CONFIG), values)
        if differing:
            raise ConfigError(
                f"--output {output}: an unfinished run of another configuration is in it: "
                f"{'; '.join(differing)}. Give the same to resume it, or take another folder"
            )
        return (output / STATE).exists()
    try:
        output.mkdir(parents=True, exist_ok=True)
        (output / CONFIG).write_text(f"# {command}\n{yaml_text(values)}")
    except OSError as error:
        raise ConfigError(f"--output {output}: cannot be written ({error.strerror})") from error
    return False


def _differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """List the keys whose values differ, with both values."""
    found = []
    for section in sorted(there.keys() | here.keys()):
        old, new = there.get(section), here.get(section)
        if isinstance(old, dict) and isinstance(new, dict):
            found += [f"{section}.{text}" for text in _differences(old, new)]
        elif old != new:
            found.append(f"{section} was {old}, is {new}")
    return found
