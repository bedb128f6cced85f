"""Read weights as tensors by name from safetensors, PyTorch and Caffe2 files; never run code."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

# The first bytes of what torch.save writes: a zip file since 1.6, a pickled number before.
_TORCH_ZIP = b"PK"
_TORCH_LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
# A safetensors file starts with the length of its JSON header, 8 bytes, little endian; the format
# limits it to 100 MB. The lowest byte is 0x80 once in 32 files, the first byte of every pickle.
_MAX_SAFETENSORS_HEADER = 100_000_000
_PICKLE = b"\x80"
# Where libraries put the weights among the other things of a training run.
_STATE_KEYS = ("state_dict", "model_state", "model_state_dict", "model")


class CheckpointError(Exception):
    """A weight file that cannot be used; the message names it and the remedy."""


@dataclass(frozen=True, slots=True, eq=False)
class WeightFile:
    """The content of a file."""

    path: Path
    tensors: dict[str, Tensor]
    metadata: dict[str, str] = field(default_factory=dict)  # of safetensors
    extras: dict[str, Any] = field(default_factory=dict)  # of PyTorch files, beside the weights


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
        with path.open("rb") as file:  # given a path, torch.load would judge by its ending
            content = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(_refusal(path, error)) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise CheckpointError(
            f"{path}: not a whole PyTorch file ({_first_line(error)}); get or copy it again"
        ) from error
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{path}: holds a {type(content).__name__}, not weights by name")
    state = next((content[key] for key in _STATE_KEYS if key in content), content)
    if not isinstance(state, Mapping):
        raise CheckpointError(f"{path}: holds no weights by name ({', '.join(map(str, content))})")
    extras = {str(key): value for key, value in content.items() if value is not state}
    tensors = {
        # Training on several GPUs puts `module.` in front of every name.
        str(key).removeprefix("module."): value
        for key, value in state.items()
        if isinstance(value, Tensor)
    }
    return WeightFile(path, tensors, extras=extras if state is not content else {})


def _refusal(path: Path, error: pickle.UnpicklingError) -> str:
    wanted = next((line.strip() for line in str(error).splitlines() if "GLOBAL" in line), "")
    return (
        f"{path}: holds Python objects beside its weights, which could run any code while they are "
        f"read, and is refused. {wanted} If you trust where it comes from, keep its weights alone: "
        f"""python -c "import torch; c = torch.load('{path}', weights_only=False, """
        """map_location='cpu'); torch.save({'state_dict': c.get('state_dict', """
        """c.get('model_state', c))}, 'weights_only.pth')" (in an environment that has the """
        "library which wrote it), and load weights_only.pth"
    )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


# The functions that a pickled NumPy array is made of, under their old and new names.
_reconstruct = np.empty(0).__reduce__()[0]
_scalar = np.float32(0).__reduce__()[0]
_NUMPY_PARTS: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): lambda text, _: text.encode("latin1"),  # bytes, written by Python 2
} | {
    (f"{package}.multiarray", name): part
    for package in ("numpy.core", "numpy._core")
    for name, part in (("_reconstruct", _reconstruct), ("scalar", _scalar))
}


class _ArrayUnpickler(pickle.Unpickler):
    """Unpickle NumPy arrays in plain containers and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """Return the constructor of that name, if arrays need it."""
        if (module, name) not in _NUMPY_PARTS:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return _NUMPY_PARTS[module, name]


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
