"""`evaluation log` lists the register for people, programs and model cards."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from models.checkpoints.checkpoint import save_recognizer
from models.checkpoints.weight_files import content_identity
from tests.training.factories import tiny_model
from training.commands.evaluation_log import app
from training.labels.fingerprints import video_fingerprint
from training.register import Register, RegisterEntry


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A register of three entries, the data of one and the model of another."""
    (tmp_path / "a.mp4").write_text("a")
    (tmp_path / "labels.csv").write_text("path,label\na.mp4,walk\n")
    save_recognizer(tmp_path / "model.safetensors", tiny_model())
    first = RegisterEntry(
        at="2026-11-25T10:00:00Z", purpose="looked at", data="a|b.csv", split="test", clips=4,
        groups=2, model="one", weights="w", numbers={"top1": 0.75}, videos=("x",),
    )  # fmt: skip
    video = video_fingerprint(tmp_path / "a.mp4")
    assert video is not None
    second = replace(first, model="two", videos=(video, "y"))
    weights = content_identity(tmp_path / "model.safetensors")
    third = replace(first, model="three", weights=weights, purpose="chose thresholds")
    Register(tmp_path / "register.jsonl").append([first, second, third])
    return tmp_path


def run(folder: Path, *arguments: object) -> str:
    own = ["log", "--register", str(folder / "register.jsonl")]
    result = CliRunner().invoke(app, [*own, *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_it_lists_all_or_those_of_some_data_or_model(folder: Path) -> None:
    assert all(name in run(folder) for name in ("one", "two", "three", "chose thresholds"))
    of_data = json.loads(run(folder, "--json", "--data", folder / "labels.csv"))
    assert [entry["model"] for entry in of_data] == ["two"]
    of_model = json.loads(run(folder, "--json", "--model", folder / "model.safetensors"))
    assert [entry["model"] for entry in of_model] == ["three"]


def test_a_model_card_gets_a_table(folder: Path) -> None:
    lines = run(folder, "--markdown").splitlines()
    assert lines[1] == "|---|---|---|---|---|---|---|"
    assert lines[2] == (
        "| 2026-11-25 10:00:00 | looked at | a\\|b.csv (test) | 4 | 2 | one | top1 0.75 |"
    )


def test_a_register_that_is_not_there_is_named(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["log", "--register", str(tmp_path / "none.jsonl")])
    assert result.exit_code == 2
    assert "no such file; `evaluate` makes it" in " ".join(result.output.split())
