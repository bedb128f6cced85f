"""Load the recognizer that a configuration names: a file, or a public checkpoint by its name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from models.public.entry import PublicCheckpoint
from models.public.files import PublicFileError, fetch_public
from models.public.names import PUBLIC_CHECKPOINTS, find_public, looks_public
from pipeline.config.shipped_files import find_file
from pipeline.errors import ConfigError
from pipeline.paths import is_there

if TYPE_CHECKING:
    from models.slowfast.recognizer3d import Recognizer3D


def weights_file(weights: str | Path, project: Path) -> Path:
    """Return the file of a path or of a public checkpoint; nothing is fetched.

    Args:
        weights: a path, or a name of `PUBLIC_CHECKPOINTS`. A file of that path comes first.
        project: folder in which a relative path is searched after the current directory.
    """
    file, public = find_file(weights, project), PUBLIC_CHECKPOINTS.get(str(weights))
    return file if public is None or is_there(file) else public.file()


def check_weights_name(weights: str, project: Path) -> None:
    """Look whether a path or the name of a public checkpoint exists; nothing is fetched.

    Raises:
        ConfigError: if neither does.
    """
    file = find_file(weights, project)
    if _public(weights, file) is None and not is_there(file):
        raise ConfigError(f"there is no file {file}")


def _public(weights: str, file: Path) -> PublicCheckpoint | None:
    """Return what is named where no file of that path is.

    Raises:
        ConfigError: if it is nearly a name.
    """
    if is_there(file) or not (weights in PUBLIC_CHECKPOINTS or looks_public(weights)):
        return None
    try:
        return find_public(weights)
    except KeyError as error:
        raise ConfigError(f"there is no file {file}, and {error.args[0]}") from error


def load_named_recognizer(
    weights: str,
    project: Path,
    *,
    state_dict: str | None = None,
    labels: str | None = None,
) -> Recognizer3D:
    """Read a recognizer; the file of a public checkpoint is fetched if it was never before.

    Args:
        weights: a path, or a name of `PUBLIC_CHECKPOINTS`.
        project: folder in which a relative path is searched after the current directory.
        state_dict: see `load_recognizer`.
        labels: see `load_recognizer`; None: those of the public checkpoint.

    Raises:
        CheckpointError: if the file cannot be read or is of another network.
        ConfigError: if there is no such name, or its file cannot be fetched.
    """
    from models.checkpoints.checkpoint import load_recognizer

    file = find_file(weights, project)
    if (public := _public(weights, file)) is None:
        return load_recognizer(file, state_dict=state_dict, labels=labels)
    try:
        file = fetch_public(public)
    except PublicFileError as error:
        raise ConfigError(str(error)) from error
    model = load_recognizer(file, state_dict=state_dict, labels=labels or public.labels)
    return _as_published(model, public, file)


def _as_published(model: Recognizer3D, public: PublicCheckpoint, file: Path) -> Recognizer3D:
    """Give the network the clips that it was trained on, which no shape of its weights shows."""
    mode = "scene" if model.architecture.head == "roi" else "crop"
    if mode != public.mode:
        raise ConfigError(
            f"{file}: a network for recognizer.mode={mode}, and {public.name} is one for "
            f"{public.mode}; it is another file"
        )
    try:
        model.input_spec = replace(
            model.input_spec,
            name=public.architecture,
            clip_len=public.clip_len,
            frame_interval=public.frame_interval,
        )
    except ValueError as error:
        raise ConfigError(f"{file}: it is not {public.name}: {error}") from error
    return model
