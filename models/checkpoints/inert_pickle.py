"""Unpickle PyTorch files whose objects are of libraries that are not there; run nothing of them.

A checkpoint of a training run holds more than weights: logs, schedules, configuration objects. A
pickle names the class or function of every object, and the usual unpickler calls it. This one
knows the few constructors that tensors and arrays are made of, and gives a stand-in that keeps
nothing but items for every other name. No name of the file is ever imported.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import Tensor, nn

# What only a file asks for that means to run something. A stand-in would be as harmless as for any
# other name; refusing it informs the owner of the file.
_RUNNING_MODULES = frozenset(
    {"os", "posix", "nt", "subprocess", "sys", "pty", "socket", "shutil", "importlib", "runpy"}
    | {"ctypes", "commands", "webbrowser", "code", "codeop", "pdb", "bdb", "timeit", "signal"}
    | {"cProfile", "profile"}
)
_RUNNING_BUILTINS = frozenset(
    {"eval", "exec", "execfile", "compile", "open", "__import__", "input", "globals", "breakpoint"}
)
_PYTHON_2_MODULES = {"__builtin__": "builtins", "copy_reg": "copyreg"}


class RunsCodeError(pickle.UnpicklingError):
    """A file asks for what would run a program."""


class InertObject(dict[Any, Any]):
    """Stands for an object of another library: takes any argument and state, and does nothing.

    The items of a dictionary are kept, so that a configuration of another class can be read.
    """

    described = ""  # module and name in the file

    def __init__(self, *_: object, **__: object) -> None:
        super().__init__()

    def __call__(self, *_: object, **__: object) -> InertObject:
        """Return another one: a function made by a function."""
        return InertObject()

    def __setstate__(self, state: object) -> None:
        """Drop the state."""

    def append(self, item: object) -> None:
        """Drop the item of a list."""

    def extend(self, items: object) -> None:
        """Drop the items of a list."""

    __hash__ = object.__hash__  # type: ignore[assignment]
    __eq__ = object.__eq__
    __ne__ = object.__ne__


class _InertAttribute(InertObject):
    """Stands for `getattr`, by which a class inside of a class is pickled: gives a class."""

    def __new__(cls, *_: object, **__: object) -> Any:
        return _inert_class("builtins", "getattr")


def load_inert(file: BinaryIO) -> tuple[Any, list[str]]:
    """Read a file of `torch.save`.

    Args:
        file: opened for reading, at its start; not TorchScript.

    Returns:
        The content, and the names that stand-ins were made for.

    Raises:
        RunsCodeError: if it asks for what would run a program.
        Exception: whatever a damaged file makes the unpickler raise.
    """
    stood_in: dict[str, None] = {}

    class Unpickler(_InertUnpickler):
        names = stood_in

    def load(opened: BinaryIO, **options: Any) -> Any:
        return Unpickler(opened, **options).load()

    # torch.load reads storages and both of its containers; every object goes through find_class.
    module: Any = SimpleNamespace(Unpickler=Unpickler, load=load, __name__=__name__)
    content = torch.load(file, map_location="cpu", weights_only=False, pickle_module=module)
    return content, list(stood_in)


class _InertUnpickler(pickle.Unpickler):
    names: dict[str, None]

    def find_class(self, module: str, name: str) -> Any:
        """Return a known constructor, or a stand-in."""
        module = _PYTHON_2_MODULES.get(module, module)
        known = _known(module, name)
        if known is not None:
            return known
        in_builtins = module in ("builtins", "io", "_io")
        runs = module.partition(".")[0] in _RUNNING_MODULES
        if runs or (in_builtins and name.partition(".")[0] in _RUNNING_BUILTINS):
            raise RunsCodeError(f"it asks for {module}.{name}")
        self.names[f"{module}.{name}"] = None
        is_getattr = (module, name) == ("builtins", "getattr")
        return _InertAttribute if is_getattr else _inert_class(module, name)


def _inert_class(module: str, name: str) -> type[InertObject]:
    return type("InertObject", (InertObject,), {"described": f"{module}.{name}"})


def _known(module: str, name: str) -> Any:
    """Return what tensors are made of.

    Functions are wrapped for every use: a pickle may set attributes of what it gets.
    """
    if module == "torch" and isinstance(dtype := getattr(torch, name, None), torch.dtype):
        return dtype
    if (module, name) in NUMPY_PARTS:
        return NUMPY_PARTS[module, name]
    if make := _TENSOR_PARTS.get(f"{module}.{name}"):
        return lambda *args: make(*args)
    return _PLAIN.get(f"{module}.{name}")


def _tensor(storage: Any, offset: int, size: Any, stride: Any, *_: object) -> Tensor:
    tensor: Tensor = torch._utils._rebuild_tensor(storage, offset, size, stride)  # type: ignore[no-untyped-call]
    return tensor


def _tensor_of_dtype(
    storage: Any,
    offset: int,
    size: Any,
    stride: Any,
    _: bool,
    __: Any,
    dtype: torch.dtype,
    *___: Any,
) -> Tensor:
    return torch.empty(0, dtype=dtype).set_(storage._untyped_storage, offset, size, stride)


def _parameter(data: Any, *_: object) -> Any:
    return nn.Parameter(data, requires_grad=False) if isinstance(data, Tensor) else InertObject()


def _of_type(make: Any, _: object, args: Any, __: object) -> Any:
    return make(*args)


_TENSOR_PARTS: Mapping[str, Callable[..., Any]] = {
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _tensor_of_dtype,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "torch._tensor._rebuild_from_type_v2": _of_type,
}
_PLAIN: Mapping[str, Any] = {
    "collections.OrderedDict": OrderedDict,
    "torch.Size": torch.Size,
    "torch.device": torch.device,
    "builtins.set": set,
    "builtins.frozenset": frozenset,
    "builtins.bytearray": bytearray,
    "builtins.complex": complex,
    "builtins.slice": slice,
    "builtins.range": range,
}

# The functions that a pickled NumPy array is made of, under their old and new names.
_reconstruct = np.empty(0).__reduce__()[0]
_scalar = np.float32(0).__reduce__()[0]
NUMPY_PARTS: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): lambda text, _: text.encode("latin1"),  # bytes, written by Python 2
} | {
    (f"{package}.multiarray", name): part
    for package in ("numpy.core", "numpy._core")
    for name, part in (("_reconstruct", _reconstruct), ("scalar", _scalar))
}
