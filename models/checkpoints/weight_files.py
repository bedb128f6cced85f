"""Read weights as tensors by name from safetensors, PyTorch and Caffe2 files; never run code."""

from __future__ import annotations

import hashlib
import logging
import pickle
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from models.checkpoints.inert_pickle import NUMPY_PARTS, InertObject, RunsCodeError, load_inert
from models.checkpoints.state_dicts import find_state_dicts

# The first bytes of what torch.save writes: a zip file since 1.6, a pickled number before.
_TORCH_ZIP = b"PK"
_TORCH_LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
# A safetensors file starts with the length of its JSON header, 8 bytes, little endian; the format
# limits it to 100 MB. The lowest byte is 0x80 once in 32 files, the first byte of every pickle.
_MAX_SAFETENSORS_HEADER = 100_000_000
_PICKLE = b"\x80"

log = logging.getLogger(__name__)


class CheckpointError(Exception):
    """A weight file that cannot be used; the message names it and the remedy."""


@dataclass(frozen=True, slots=True, eq=False)
class WeightFile:
    """The content of a file."""

    path: Path
    tensors: dict[str, Tensor]  # of one network; of the first state dict of a file with several
    metadata: dict[str, str] = field(default_factory=dict)  # of safetensors
    extras: dict[str, Any] = field(default_factory=dict)  # of PyTorch files, beside the weights
    state_dicts: dict[str, dict[str, Tensor]] = field(default_factory=dict)  # of PyTorch files


def read_weights(path: Path) -> WeightFile:
    """Read a file of any of the formats, identified by its content, not by its name.

    Raises:
        CheckpointError: if there is no such file, it is damaged, has no weights, or would run
            code while it is read.
    """
    try:
        with path.open("rb") as file:
            start = file.read(64)
    except OSError as error:
        raise CheckpointError(
            f"{path}: cannot be read ({error.strerror}); check the path of the weights"
        ) from error
    if start.startswith((_TORCH_ZIP, _TORCH_LEGACY)):
        return _read_torch(path)
    if start.startswith(_PICKLE) and not _is_safetensors(start):
        return _read_caffe2(path)
    return _read_safetensors(path)


def content_identity(path: Path) -> str:
    """Hash the numbers of a weight file: 16 hexadecimal digits.

    The header of a safetensors file does not count: the same network with other thresholds in its
    metadata is the same network.

    Raises:
        CheckpointError: if it cannot be read.
    """
    try:
        with path.open("rb") as file:
            start = file.read(64)
            header = int.from_bytes(start[:8], "little") + 8 if _is_safetensors(start) else 0
            file.seek(header)
            return hashlib.file_digest(file, "sha256").hexdigest()[:16]
    except OSError as error:
        raise CheckpointError(
            f"{path}: cannot be read ({error.strerror}); check the path of the weights"
        ) from error


def read_metadata(path: Path) -> dict[str, str]:
    """Read the metadata of a safetensors file alone; of another file there is none.

    Raises:
        CheckpointError: if it cannot be opened.
    """
    try:
        with path.open("rb") as file:
            start = file.read(64)
        if not _is_safetensors(start):
            return {}
        with safe_open(path, framework="pt") as weights:
            return weights.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path}: cannot be read ({error}); check its path") from error


def _is_safetensors(start: bytes) -> bool:
    length = int.from_bytes(start[:8], "little")
    return length <= _MAX_SAFETENSORS_HEADER and start[8:9] == b"{"


def _read_safetensors(path: Path) -> WeightFile:
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            return WeightFile(path, tensors, metadata=file.metadata() or {})
    except SafetensorError as error:
        raise CheckpointError(
            f"{path}: not a whole weight file (tried as safetensors: {error}); get or copy it again"
        ) from error


def _read_torch(path: Path) -> WeightFile:
    try:
        content = _load_torch(path)
    except RunsCodeError as error:
        raise CheckpointError(
            f"{path}: {_first_line(error)}, which would run a program while it is read: nothing "
            "was run, and the file is refused. No library saves weights so; do not open it "
            "with another program"
        ) from error
    except Exception as error:  # a damaged pickle may raise anything
        raise CheckpointError(
            f"{path}: not a whole PyTorch file ({_first_line(error)}); get or copy it again"
        ) from error
    if not isinstance(content, Mapping) or (isinstance(content, InertObject) and not content):
        kind = getattr(content, "described", "") or type(content).__name__
        raise CheckpointError(
            f"{path}: holds a {kind}, not weights by name; save them alone, in the program that "
            "wrote it: torch.save(model.state_dict(), 'weights.pth')"
        )
    state_dicts = find_state_dicts(content)
    if not state_dicts:
        raise CheckpointError(f"{path}: holds no weights by name ({', '.join(map(str, content))})")
    extras = {str(key): value for key, value in content.items() if key not in state_dicts}
    return WeightFile(path, next(iter(state_dicts.values())), {}, extras, state_dicts)


def _load_torch(path: Path) -> Any:
    """Read with PyTorch's own restricted unpickler, or with stand-ins for what it refuses."""
    with path.open("rb") as file:  # given a path, torch.load would judge by its ending
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of pickle protocols, which are read below
                return torch.load(file, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError:
            file.seek(0)
        content, names = load_inert(file)
    if names:
        shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
        log.info("%s: objects beside the weights are not read (%s)", path, shown)
    return content


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


class _ArrayUnpickler(pickle.Unpickler):
    """Unpickle NumPy arrays in plain containers and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """Return the constructor of that name, if arrays need it."""
        if (module, name) not in NUMPY_PARTS:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return NUMPY_PARTS[module, name]


def _read_caffe2(path: Path) -> WeightFile:
    """Read a pickled dict of NumPy arrays, the oldest models of PySlowFast's model zoo."""
    try:
        with path.open("rb") as file:
            content = _ArrayUnpickler(file, encoding="latin1").load()
    except Exception as error:  # a damaged pickle may raise anything
        raise CheckpointError(
            f"{path}: not a pickle of plain NumPy arrays, as Caffe2 models are "
            f"({_first_line(error)}); if it is a PyTorch file, save it again with torch.save"
        ) from error
    blobs = content.get("blobs") if isinstance(content, Mapping) else None
    if not isinstance(blobs, Mapping):
        raise CheckpointError(f"{path}: a pickle without Caffe2's `blobs`")
    tensors = {
        str(key): torch.from_numpy(np.array(value))
        for key, value in blobs.items()
        if isinstance(value, np.ndarray) and value.dtype.kind in "fiu"
    }
    return WeightFile(path, tensors)
