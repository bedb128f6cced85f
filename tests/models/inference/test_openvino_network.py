"""Exports to OpenVINO: right, kept, and made again when what is kept cannot be trusted."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import openvino
import pytest
import torch
from torch import Tensor, nn

from models.inference import openvino_network
from models.inference.openvino_network import (
    KEPT_EXPORTS,
    OpenVinoNetwork,
    export_key,
    nan_weights,
)
from tests.conftest import REPOSITORY
from tests.network_log import NetworkLog

X = torch.arange(6.0).view(2, 3)
EXPORTING = "exporting the recognizer"


class Small(nn.Module):
    """Two inputs, one output."""

    def __init__(self, factor: float = 2.0) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor([factor]))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return x * self.factor + y


def build(cache_dir: Path | None, module: nn.Module | None = None) -> OpenVinoNetwork:
    module = module or Small()
    return OpenVinoNetwork(module, (X, X), description="small", cache_dir=cache_dir)


def test_it_computes_what_the_module_computes() -> None:
    network = build(None)
    first = network(X.numpy(), X.numpy())
    second = network(X.numpy() + 1, X.numpy())
    assert np.array_equal(first, 3 * X.numpy())  # and the second call has left it alone
    assert np.array_equal(second, 3 * X.numpy() + 2)


def test_an_export_is_made_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    build(tmp_path / "new" / "cache")
    assert EXPORTING in caplog.text
    caplog.clear()
    network = build(tmp_path / "new" / "cache")
    assert EXPORTING not in caplog.text
    assert np.array_equal(network(X.numpy(), X.numpy()), 3 * X.numpy())


def test_the_key_changes_with_weights_shapes_and_description() -> None:
    keys = {
        export_key(Small(2.0), (X, X), "a"),
        export_key(Small(2.0), (X, X), "b"),
        export_key(Small(2.5), (X, X), "a"),
        export_key(Small(2.0), (X.double(), X), "a"),
        export_key(Small(2.0), (X[:1], X), "a"),
    }
    assert len(keys) == 5
    assert export_key(Small(2.0), (X + 1, X), "a") in keys  # values of the example do not matter


def test_other_weights_never_get_a_kept_export(tmp_path: Path) -> None:
    build(tmp_path, Small(2.0))
    network = build(tmp_path, Small(5.0))
    assert np.array_equal(network(X.numpy(), X.numpy()), 6 * X.numpy())


@pytest.mark.parametrize("name", ["model.xml", "model.bin", "checksum"])
@pytest.mark.parametrize("damage", ["shortened", "zeroed", "removed"])
def test_a_damaged_export_is_made_again(
    name: str, damage: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    build(tmp_path)
    (folder,) = tmp_path.iterdir()
    file = folder / name
    content = file.read_bytes()
    if damage == "removed":
        file.unlink()
    else:  # as a power cut leaves it
        file.write_bytes(b"" if damage == "shortened" else bytes(len(content)))
    network = build(tmp_path)
    assert "is damaged" in caplog.text
    assert np.array_equal(network(X.numpy(), X.numpy()), 3 * X.numpy())
    caplog.clear()
    build(tmp_path)
    assert "is damaged" not in caplog.text


def test_a_cache_that_cannot_be_written_costs_a_warning_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    network = build(blocked / "cache")
    assert "cannot keep the export" in caplog.text
    assert np.array_equal(network(X.numpy(), X.numpy()), 3 * X.numpy())


def test_a_full_disk_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(model: openvino.Model, path: Path, compress_to_fp16: bool) -> None:
        path.write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(openvino, "save_model", fail)
    build(tmp_path)
    assert "No space left" in caplog.text
    assert list(tmp_path.iterdir()) == []


def test_only_the_exports_used_last_are_kept(tmp_path: Path) -> None:
    for index in range(KEPT_EXPORTS + 2):
        folder = tmp_path / str(index)
        folder.mkdir()
        (folder / "model.xml").touch()
        os.utime(folder, (index, index))
    openvino_network._delete_oldest(tmp_path)
    kept = {int(path.name) for path in tmp_path.iterdir()}
    assert kept == set(range(2, KEPT_EXPORTS + 2))


def test_a_precision_without_instructions_is_refused() -> None:
    if "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        assert OpenVinoNetwork(Small(), (X, X), description="").precision == "bfloat16"
        return
    with pytest.raises(ValueError, match="does not compute in bfloat16"):
        OpenVinoNetwork(Small(), (X, X), description="", precision="bfloat16")


def test_openvino_reports_to_nobody_and_leaves_nothing_at_home(tmp_path: Path) -> None:
    home, log = tmp_path / "home", NetworkLog(tmp_path)
    home.mkdir()
    program = """
import training.detector.teacher  # it imports OpenVINO before anything of `models`
import openvino, sys, torch, warnings
warnings.simplefilter("ignore")
openvino.convert_model(torch.nn.ReLU(), example_input=torch.zeros(1, 2))
assert sys.modules["openvino_telemetry"] is None  # NNCF takes its stub as well
"""
    environment = os.environ | {"HOME": str(home), "PYTHONPATH": str(log.folder)}
    command = [sys.executable, "-c", program]
    subprocess.run(command, env=environment, cwd=REPOSITORY, check=True, timeout=120)
    assert not log.unasked()
    assert not list(home.iterdir())


def test_the_log_sees_a_name_looked_up_by_a_grandchild(tmp_path: Path) -> None:
    log = NetworkLog(tmp_path)
    look_up = "import socket; socket.getaddrinfo('192.0.2.1', 1)"
    program = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {look_up!r}])"
    environment = os.environ | {"PYTHONPATH": str(log.folder)}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=60)
    assert log.unasked() == ["socket.getaddrinfo 192.0.2.1 by -c"]


class Mixing(nn.Module):
    """A weight of nine numbers."""

    def __init__(self, first: float) -> None:
        super().__init__()
        self.mix = nn.Linear(3, 3)
        self.mix.weight.data[0, 0] = first

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.mix(x) + y


def test_weights_that_are_no_numbers_are_found_by_name(tmp_path: Path) -> None:
    build(tmp_path / "good", Mixing(2.0))
    build(tmp_path / "bad", Mixing(float("nan")))
    [good], [bad] = (list((tmp_path / name).rglob("model.xml")) for name in ("good", "bad"))
    assert nan_weights(good) == []
    assert len(nan_weights(bad)) == 1
    (tmp_path / "broken.onnx").write_bytes(b"no model")
    assert nan_weights(tmp_path / "broken.onnx") == []
