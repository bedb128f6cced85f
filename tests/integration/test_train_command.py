"""`train` as a user starts it: processes on made videos, killed and resumed."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from models import load_recognizer
from models.checkpoints.checkpoint import save_recognizer
from models.checkpoints.weight_files import read_weights
from models.inference.action_recognizer import ActionRecognizer
from tests.conftest import REPOSITORY
from tests.training.factories import tiny_model, write_scene

pytestmark = pytest.mark.slow

EPOCHS = 6  # enough of them to be interrupted in before they are over
RUNS = ("straight", "broken")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight videos with a box each, so that no search for people is needed; all tests' folder."""
    tmp_path = tmp_path_factory.mktemp("train")
    rows = []
    for number in range(8):
        label, step = ("stand", 0) if number % 2 else ("walk", 4)
        name = f"videos/{number}.mp4"
        write_scene(tmp_path / name, level=40 + 10 * number, step=step)
        rows.append([name, label, "0,0,96,64", number // 2])
    with (tmp_path / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["path", "label", "box", "group"], *rows])
    save_recognizer(tmp_path / "start.safetensors", tiny_model("a", "b"))
    return tmp_path


def command(data: Path, output: str, *settings: str, labels: str = "labels.csv") -> list[str]:
    chosen = {
        "data.cache": data / "cache",
        "loop.epochs": EPOCHS,
        "loop.batch_size": 2,
        "loop.accumulate": 2,
        "loop.threads": 1,
        "sampling.clips_per_epoch": 12,
        "model.name": "mine",
    }
    arguments = ["train", "--data", data / labels, "--output", data / output]
    arguments += ["--from", data / "start.safetensors", "--register", data / "register.jsonl"]
    for key, value in chosen.items():
        arguments += ["--set", f"{key}={value}"]
    for setting in settings:
        arguments += ["--set", setting]
    return [sys.executable, str(REPOSITORY / "run_pipeline.py"), *map(str, arguments)]


def run(arguments: list[str], expect: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=240)
    assert done.returncode == expect, done.stderr + done.stdout
    return done


def interrupt(arguments: list[str], at: str, number: signal.Signals) -> tuple[int, str]:
    """Send a signal once a line begins with `at`; returns the exit code and what was printed."""
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        printed = []
        for line in process.stderr:
            printed.append(line)
            if line.startswith(at):
                process.send_signal(number)
                break
        printed += process.stderr.readlines()
    return process.returncode, "".join(printed)


@pytest.mark.timeout(300)
def test_a_killed_and_an_interrupted_run_go_on_to_the_same_bits(data: Path) -> None:
    done = run(command(data, RUNS[0]))
    assert "recognizer.weights=" in done.stdout
    again = command(data, RUNS[1])
    code, _ = interrupt(again, f"epoch 2/{EPOCHS}", signal.SIGKILL)
    assert code == -signal.SIGKILL
    code, printed = interrupt(again, f"epoch 3/{EPOCHS}", signal.SIGINT)
    assert code == 130, printed
    assert "resuming in epoch" in printed
    assert "the same command resumes" in printed
    run(again)
    straight, broken = (read_weights(data / name / "model.safetensors") for name in RUNS)
    assert straight.metadata == broken.metadata
    assert straight.tensors.keys() == broken.tensors.keys()
    for name, tensor in straight.tensors.items():
        assert torch.equal(tensor, broken.tensors[name]), name
    logs = [(data / name / "log.csv").read_bytes() for name in RUNS]
    assert logs[0] == logs[1]
    assert {path.name for path in (data / RUNS[1]).iterdir()} == {
        "config.yaml",
        "log.csv",
        "model.safetensors",
        "report.json",
        "report.md",
    }


def test_several_labels_make_a_model_that_the_pipeline_takes(data: Path) -> None:
    text = (data / "labels.csv").read_text().replace(",walk,", ",walk|carry,")
    (data / "several.csv").write_text(text)
    run(command(data, "several", "loop.epochs=1", labels="several.csv"))
    model = load_recognizer(data / "several/model.safetensors")
    assert model.input_spec.labels == ("carry", "stand", "walk")
    assert model.input_spec.multi_label
    recognizer = ActionRecognizer(model, device="cpu", backend="torch")
    size = model.input_spec.crop_size
    scores = recognizer.predict([np.zeros((16, size, size, 3), np.uint8)])
    assert scores.shape == (1, 3)
    report = json.loads((data / "several/report.json").read_text())
    assert report["splits"]["val"]["mean_average_precision"] is not None


def test_two_processes_train_together(data: Path) -> None:
    settings = ("loop.devices=2", "loop.batch_size=1", "device=cpu", "loop.epochs=1")
    run(command(data, "two", *settings))
    assert load_recognizer(data / "two/model.safetensors").input_spec.labels == ("stand", "walk")


def test_mistakes_are_reported_before_anything_runs(data: Path) -> None:
    assert "loop.epoch: unknown key" in run(command(data, "x", "loop.epoch=1"), expect=2).stderr
    (data / "wrong.csv").write_text("path,label\na.mp4,\n")
    printed = run(command(data, "x", labels="wrong.csv"), expect=2).stderr
    assert "wrong.csv:2: label: missing" in printed
    assert not (data / "x").exists()
