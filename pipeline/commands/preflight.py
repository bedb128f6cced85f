"""What can be found out before models are loaded, which takes seconds: files, folders, names."""

from __future__ import annotations

import os
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from models.detectors.official_weights import SHA256, is_official
from pipeline.config.shipped_files import find_file
from pipeline.errors import ConfigError
from pipeline.paths import is_there
from pipeline.recognizer_weights import check_weights_name

if TYPE_CHECKING:
    from pipeline.config.schema import PipelineConfig

OWN_DETECTORS = ("compact", "builtin")


def check_weights(config: PipelineConfig, project: Path) -> None:
    """Look for the files that models are loaded from.

    Args:
        config: the whole configuration.
        project: folder in which a relative path is searched after the current directory.

    Raises:
        ConfigError: naming every key whose file is not there.
    """
    missing = []
    for one in config.of_each_recognizer():
        if one.recognizer.mode == "skeleton":  # rules, no file
            continue
        try:
            check_weights_name(one.recognizer.weights, project)
        except ConfigError as error:
            missing.append(f"recognizer.weights: {error}")
    detector = config.detector.weights
    found = is_there(find_file(detector, project))
    if not (found or detector in OWN_DETECTORS or is_official(detector)):
        near = get_close_matches(detector, [*SHA256, *OWN_DETECTORS], n=1, cutoff=0.8)
        meant = f"; did you mean {near[0]}?" if near else ""
        missing.append(f"detector.weights: no detector weights at {detector}{meant}")
    if missing:
        raise ConfigError("\n".join(missing))


def check_writable(option: str, folder: Path) -> None:
    """Look whether a folder can be written, or made; nothing is made.

    Args:
        option: that names it, for the message.
        folder: that a run is going to write into.

    Raises:
        ConfigError: if it cannot; the message has the reason.
    """
    nearest = next(path for path in (folder, *folder.absolute().parents) if is_there(path))
    if not nearest.is_dir():
        raise ConfigError(f"{option}: {nearest} is a file, not a folder")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise ConfigError(f"{option}: {nearest} cannot be written (no permission)")
