"""Objects of other libraries beside the weights are stood in for, and nothing of a file runs."""

from __future__ import annotations

import io
import os
import pickle
import subprocess
import sys
from collections import defaultdict
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from models.checkpoints.inert_pickle import InertObject, load_inert
from models.checkpoints.weight_files import CheckpointError, read_weights

WEIGHTS = {"layer.weight": torch.arange(6.0).reshape(2, 3), "layer.count": torch.tensor(3)}


class HistoryBuffer:
    """As of mmengine: arrays in attributes."""

    def __init__(self) -> None:
        self._log_history = np.array([1.0, 0.5])
        self.max_length = np.int64(1000)


class ConfigDict(dict[str, Any]):
    """As of mmengine: a dictionary of another class, with attributes."""


class Slotted:
    """State in slots comes as a tuple."""

    __slots__ = ("step",)

    def __init__(self) -> None:
        self.step = 3


class Schedules(list[Any]):
    """A list of another class."""


class Outer:
    """Pickled by protocol 2 as getattr(Outer, "Inner")."""

    class Inner:
        """A class inside of a class."""

        def __init__(self) -> None:
            self.value = 1


@pytest.fixture
def foreign(monkeypatch: pytest.MonkeyPatch) -> dict[str, type]:
    """The classes above, in a module that is gone when the file is read."""
    module = ModuleType("mmengine_like")
    classes = (HistoryBuffer, ConfigDict, Slotted, Schedules, Outer)
    for each in classes:
        monkeypatch.setattr(each, "__module__", "mmengine_like")
        setattr(module, each.__name__, each)
    monkeypatch.setattr(Outer.Inner, "__module__", "mmengine_like")
    monkeypatch.setitem(sys.modules, "mmengine_like", module)
    return {each.__name__: each for each in classes}


def saved(path: Path, content: Any, **options: Any) -> Path:
    torch.save(content, path, **options)
    sys.modules.pop("mmengine_like", None)
    return path


def bookkeeping(foreign: dict[str, type]) -> dict[str, Any]:
    schedules = foreign["Schedules"]([{"lr": 0.1}])
    return {
        "message_hub": {"log_scalars": {"loss": foreign["HistoryBuffer"]()}},
        "meta": foreign["ConfigDict"](classes=("walk", "run"), epoch=np.float32(3)),
        "slots": foreign["Slotted"](),
        "param_schedulers": schedules,
        "inner": foreign["Outer"].Inner(),  # type: ignore[attr-defined]
        "folder": Path("runs"),
        "counts": defaultdict(int, a=1),
        "hook": partial(int, base=2),
    }


@pytest.mark.parametrize(
    "options",
    [{}, {"_use_new_zipfile_serialization": False}, {"pickle_protocol": 4}],
    ids=["zip", "before PyTorch 1.6", "protocol 4"],
)
def test_weights_are_read_from_among_objects_of_other_libraries(
    options: dict[str, Any], foreign: dict[str, type], tmp_path: Path
) -> None:
    content = {"state_dict": WEIGHTS, **bookkeeping(foreign)}
    path = saved(tmp_path / "epoch_10.pth", content, **options)
    file = read_weights(path)
    assert file.tensors.keys() == WEIGHTS.keys()
    for name, value in WEIGHTS.items():
        assert torch.equal(file.tensors[name], value)
    assert isinstance(file.extras["meta"], InertObject)
    assert file.extras["meta"]["classes"] == ("walk", "run")
    assert "mmengine_like" not in sys.modules


def test_parameters_views_and_half_precision_come_back(
    foreign: dict[str, type], tmp_path: Path
) -> None:
    base = torch.arange(12.0)
    tensors = {
        "a.weight": torch.nn.Parameter(base[2:8].reshape(2, 3).T),
        "a.half": base.half(),
        "a.bfloat": base.bfloat16(),
        "a.odd": torch.tensor([1, 2, 3], dtype=torch.int16),
    }
    beside = {"history": foreign["HistoryBuffer"]()}
    path = saved(tmp_path / "a.pth", {"state_dict": tensors, **beside})
    for name, value in read_weights(path).tensors.items():
        assert torch.equal(value, tensors[name].detach()), name
        assert value.dtype == tensors[name].dtype


class Runs:
    """Pickles as a call."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("function", [os.system, subprocess.Popen, eval, exec, __import__, open])
def test_a_file_that_means_to_run_something_is_refused(function: Any, tmp_path: Path) -> None:
    trace = tmp_path / "was_run"
    calls = {exec: f"open({str(trace)!r}, 'w')", eval: f"open({str(trace)!r}, 'w')"}
    arguments = {open: (str(trace), "w")}.get(function, (calls.get(function, f"touch {trace}"),))
    for options in ({}, {"_use_new_zipfile_serialization": False}):
        path = saved(
            tmp_path / "a.pth",
            {"state_dict": WEIGHTS, "meta": Runs(function, *arguments)},
            **options,  # type: ignore[arg-type]
        )
        with pytest.raises(CheckpointError, match="nothing was run, and the file is refused"):
            read_weights(path)
    assert not trace.exists()


class SetsState:
    """A class of this process with a __setstate__ that must never be called."""

    called: list[Any] = []  # noqa: RUF012

    def __reduce__(self) -> Any:
        return SetsState, (), {"state": 1}

    def __setstate__(self, state: Any) -> None:
        SetsState.called.append(state)


def test_classes_that_could_be_imported_are_stood_in_for_too(tmp_path: Path) -> None:
    trace = tmp_path / "was_run"
    content = {
        "state_dict": WEIGHTS,
        "a": SetsState(),
        "b": Runs(Path.touch, trace),
        "c": Runs(torch.hub.load, "owner/name", "model"),
        "d": Runs(partial, Path.touch, trace),
    }
    file = read_weights(saved(tmp_path / "a.pth", content))
    assert file.tensors.keys() == WEIGHTS.keys()
    assert not SetsState.called
    assert not trace.exists()


def test_what_a_file_is_given_cannot_be_changed_by_it() -> None:
    """BUILD sets attributes of whatever is on the stack, also of a function or a class."""
    function = b"ctorch._utils\n_rebuild_tensor_v2\n"
    for state in (b"}X\x01\x00\x00\x00aK\x01s", b"N}X\x0c\x00\x00\x00__defaults__)s\x86"):
        made = io.BytesIO()
        torch.save({}, made, _use_new_zipfile_serialization=False)
        start = made.getvalue()[: -len(pickle.dumps({}, 2)) - len(pickle.dumps([], 2))]
        harmful = b"\x80\x02" + function + state + b"b."
        try:
            load_inert(io.BytesIO(start + harmful + pickle.dumps([], 2)))
        except Exception as error:
            assert not isinstance(error, AssertionError)
        assert torch._utils._rebuild_tensor_v2.__defaults__ == (None,)
        assert not hasattr(torch._utils._rebuild_tensor_v2, "a")


def test_a_whole_pickled_network_is_explained(foreign: dict[str, type], tmp_path: Path) -> None:
    path = saved(tmp_path / "a.pth", foreign["HistoryBuffer"]())
    with pytest.raises(CheckpointError, match=r"holds a mmengine_like\.HistoryBuffer.*state_dict"):
        read_weights(path)
