"""A training run on made videos, in this process; as a user starts it: test_train_command."""

from __future__ import annotations

import csv
import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from models.checkpoints.checkpoint import save_recognizer
from pipeline.errors import ConfigError
from tests.training.factories import tiny_model, write_scene
from training.config import TrainConfig, load_train_config
from training.fitting.run_state import CONFIG, LOG, MODEL
from training.fitting.train import TrainRequest, train


@pytest.fixture
def request_(tmp_path: Path) -> TrainRequest:
    """Four videos with a box each: no person has to be detected."""
    rows = []
    for number in range(4):
        label, step = ("stand", 0) if number % 2 else ("walk", 4)
        name = f"{number}.mp4"
        write_scene(tmp_path / name, level=40 + 20 * number, step=step)
        rows.append([name, label, "0,0,96,64", "val" if number < 2 else "train"])
    with (tmp_path / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["path", "label", "box", "split"], *rows])
    save_recognizer(tmp_path / "start.safetensors", tiny_model("a", "b"))
    return TrainRequest((tmp_path / "labels.csv",), tmp_path / "run", None, None, False, "train")


def config(folder: Path, *settings: str) -> TrainConfig:
    return load_train_config(
        None,
        [
            f"model.weights={folder / 'start.safetensors'}",
            f"data.cache={folder / 'cache'}",
            "device=cpu",
            "loop.epochs=1",
            "loop.batch_size=2",
            "sampling.clips_per_epoch=4",
            *settings,
        ],
    )


def test_a_run_leaves_model_reports_and_log_alone(request_: TrainRequest, tmp_path: Path) -> None:
    out = StringIO()
    assert train(request_, config(tmp_path), tmp_path, Console(file=out))
    names = {path.name for path in request_.output.iterdir()}
    assert names == {MODEL, "report.md", "report.json", LOG, CONFIG}
    report = json.loads((request_.output / "report.json").read_text())
    assert report["splits"]["val"]["samples"] == 2
    assert report["started_from"] == str(tmp_path / "start.safetensors")
    assert "people cut out of 4 of 4 videos" in out.getvalue()


def test_mistakes_are_reported_before_videos_are_cut(
    request_: TrainRequest, tmp_path: Path
) -> None:
    flipped = config(tmp_path, "augmentation.never_flip=[turn]")
    with pytest.raises(ConfigError, match=r"augmentation\.never_flip: there is no label turn"):
        train(request_, flipped, tmp_path, Console(file=StringIO()))
    assert not (tmp_path / "cache").exists()
