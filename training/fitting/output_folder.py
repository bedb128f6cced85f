"""The folder of a run: empty, of an unfinished run that goes on, or of another run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.config.loading import read_yaml, yaml_text
from pipeline.errors import ConfigError
from training.config import TrainConfig
from training.fitting.run_state import CONFIG, MODEL, STATE


def open_output(output: Path, config: TrainConfig, command: str) -> bool:
    """Make the folder, or see whether the run in it can go on.

    Args:
        output: of the run.
        config: of the run.
        command: noted in the configuration that is left there.

    Returns:
        True if an unfinished run of the same configuration goes on.

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
                f"{'; '.join(differing)}. Give the same to go on, or take another folder"
            )
        return (output / STATE).exists()
    try:
        output.mkdir(parents=True, exist_ok=True)
        (output / CONFIG).write_text(f"# {command}\n{yaml_text(values)}")
    except OSError as error:
        raise ConfigError(f"--output {output}: cannot be written ({error.strerror})") from error
    return False


def _differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """Keys with other values, with both."""
    found = []
    for section in sorted(there.keys() | here.keys()):
        old, new = there.get(section), here.get(section)
        if isinstance(old, dict) and isinstance(new, dict):
            found += [f"{section}.{text}" for text in _differences(old, new)]
        elif old != new:
            found.append(f"{section} was {old}, is {new}")
    return found
