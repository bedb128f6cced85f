"""Weight files are read without running code, and damaged ones are named."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

from models import CheckpointError, load_recognizer
from models.checkpoints.checkpoint import save_recognizer
from tests.models.published_files import (
    FACEBOOK,
    MMACTION2,
    PYSLOWFAST,
    in_naming_scheme,
    same_logits,
    save,
    small_network,
    write_caffe2,
)


def test_counts_of_batches_may_be_missing(tmp_path: Path) -> None:
    model = small_network()
    state = in_naming_scheme(model, MMACTION2)
    state = {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}
    torch.save(state, tmp_path / "a.pth", _use_new_zipfile_serialization=False)
    same_logits(load_recognizer(tmp_path / "a.pth"), model, "stride")


class Bomb:
    """Creates a file if it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_a_pickle_of_more_than_arrays_is_refused_and_not_run(tmp_path: Path) -> None:
    trace = tmp_path / "was_run"
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"blobs": {"conv1_w": Bomb(trace)}}))
    with pytest.raises(CheckpointError, match="not a pickle of plain NumPy arrays"):
        load_recognizer(tmp_path / "a.pkl")
    torch.save({"state_dict": Bomb(trace)}, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match="holds no weights by name"):
        load_recognizer(tmp_path / "a.pth")
    assert not trace.exists()


@pytest.mark.parametrize("name", ["a.pth", "a.pkl", "a.safetensors"])
@pytest.mark.parametrize("fraction", [0.0, 0.5, 0.99])
def test_a_file_that_was_cut_off_is_named(name: str, fraction: float, tmp_path: Path) -> None:
    model = small_network(**FACEBOOK)
    path = tmp_path / name
    if name == "a.safetensors":
        save_recognizer(path, model)
    elif name == "a.pkl":
        write_caffe2(path, in_naming_scheme(model, PYSLOWFAST))
    else:
        save(model, PYSLOWFAST, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(fraction * len(content))])
    with pytest.raises(CheckpointError, match=name):
        load_recognizer(path)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_recognizer(tmp_path)


@pytest.mark.parametrize(
    "pickled", [b"\x80\x02h\xfe.", b"\x80\x02u.", b"\x80\x02\x85.", b"\x80\x02R."]
)
def test_a_pickle_that_makes_no_sense_is_a_damaged_file(pickled: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    torch.save({"state_dict": {}}, path)
    with zipfile.ZipFile(path) as whole:
        parts = {name: whole.read(name) for name in whole.namelist()}
    with zipfile.ZipFile(path, "w") as file:
        for name, content in parts.items():
            file.writestr(name, pickled if name.endswith("data.pkl") else content)
    with pytest.raises(CheckpointError, match=r"a\.pth: not a whole PyTorch file"):
        load_recognizer(path)
