"""`evaluate` as a user starts it: a process, tiny made videos, a tiny untrained model."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from models.checkpoints.checkpoint import save_recognizer
from pipeline.config.schema import load_config
from tests.conftest import REPOSITORY, write_video
from tests.training.factories import small_model
from training.commands.evaluate import app

PROGRAM = [sys.executable, str(REPOSITORY / "run_pipeline.py"), "--log-level", "warning"]
PARTS = {"detector.weights": "builtin", "device": "cpu", "recognizer.backend": "torch"}
SETTINGS = [text for key, value in PARTS.items() for text in ("--set", f"{key}={value}")]
BOX = "10,4,40,44"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two clips of three seconds, two of one, a file that is none, and an untrained model."""
    folder = tmp_path_factory.mktemp("clips")
    times = [n / 10 for n in range(30)]
    write_video(folder / "dark.mp4", times, shade=lambda n: 20 + n % 5)
    write_video(folder / "bright.mp4", times, shade=lambda n: 200 + n % 5)
    for name in ("one.mp4", "two.mp4"):
        write_video(folder / name, [n / 5 for n in range(5)])
    (folder / "bad.mp4").write_bytes(b"this is not a video")
    save_recognizer(folder / "model.safetensors", small_model())
    return folder


def table(path: Path, rows: Sequence[Sequence[str]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["path", "label", "start", "end", "box"], *rows])
    return path


def evaluate(folder: Path, *arguments: str | Path, expect: int) -> subprocess.CompletedProcess[str]:
    own = ["--model", folder / "model.safetensors", "--cache", folder / "cache", *SETTINGS]
    own += ["--register", folder / "register.jsonl"]
    done = subprocess.run(
        [*PROGRAM, "evaluate", *map(str, [*arguments, *own])],
        capture_output=True, text=True, timeout=240, env=os.environ | {"COLUMNS": "100"},
    )  # fmt: skip
    assert done.returncode == expect, done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    return done


def read(path: Path) -> Any:
    return json.loads(path.read_text())


@pytest.mark.slow
def test_clips_become_a_table_a_document_and_a_report(folder: Path, tmp_path: Path) -> None:
    rows = [("dark.mp4", "stand", "", "", BOX), ("bright.mp4", "walk", "0.5", "2.9", BOX)]
    data = table(folder / "clips.csv", [*rows, ("bad.mp4", "walk", "", "", BOX)])
    out, report = tmp_path / "new" / "out.json", tmp_path / "report.html"
    done = evaluate(folder, "--data", data, "--json", out, "--report", report, expect=1)
    assert "mean class accuracy" in done.stdout
    assert "clips.csv:4" in done.stderr
    assert "bad.mp4" in done.stderr
    document = read(out)
    assert len(document["left_out"]) == 1
    assert document["labels"] == ["stand", "walk"]
    assert document["number_of_clips"] == 2
    assert document["top1"] in (0.0, 0.5, 1.0)
    assert [clip["views"] for clip in document["clips"]] == [2, 1]
    for clip in document["clips"]:
        assert sum(clip["scores"]) == pytest.approx(1.0, abs=1e-4)
    text = report.read_text()
    assert "bad.mp4" in text
    wrong = sum(not clip["right"] for clip in document["clips"])
    assert text.count("data:image/jpeg") == wrong


@pytest.mark.slow
def test_long_videos_become_rules_that_the_pipeline_takes(folder: Path, tmp_path: Path) -> None:
    # The built-in detector finds no person in grey frames: everything is missed, nothing is false.
    data = table(folder / "events.csv", [("one.mp4", "walk", "0.2", "0.8", ""),
                                         ("two.mp4", "walk", "0.2", "1", BOX)])  # fmt: skip
    out, rules, report = tmp_path / "o.json", tmp_path / "rules.yaml", tmp_path / "r.html"
    quiet = folder / "quiet.csv"
    quiet.write_text("path,label,kind\ndark.mp4,nothing,hall\none.mp4,nothing,shop\n")
    done = evaluate(
        folder, "--events", data, "--data", data, "--through-pipeline", "--everyday", quiet,
        "--target-false-alarms", "0.5", "--write-config", rules, "--json", out,
        "--report", report, "--set", "decision.background=[stand]",
        "--set", "redis.url=redis://me:s3cret and more@host/0", expect=0,
    )  # fmt: skip
    assert "camera hours" in done.stdout
    document = read(out)
    walk = document["events"]["actions"]["walk"]
    assert (walk["truths"], walk["matched"], walk["false_alarms"]) == (2, 0, 0)
    assert walk["searched"]["reached"] is True
    assert document["events"]["camera_hours"] == pytest.approx(2 / 3600, rel=0.01)
    assert list(document["events"]["actions"]) == ["walk"]
    everyday = document["everyday"]
    assert (everyday["total"]["alarms"], everyday["without_people"]) == (0, 1)
    assert everyday["total"]["hours"] == pytest.approx(3 / 3600, rel=0.01)
    assert [kind["kind"] for kind in everyday["kinds"]] == ["hall"]
    assert len(everyday["too_short"]) == 1  # of one second
    assert "no alarm in 0.1 minutes rules out more than" in done.stdout
    # Of the same files as clips: no person there is background, which is wrong.
    assert (document["top1"], document["clips_without_a_view"]) == (0.0, 2)
    loaded = load_config(rules)
    assert loaded.decision.per_action["walk"].start_threshold == pytest.approx(
        walk["searched"]["rule"]["start_threshold"]
    )
    assert "<svg" in report.read_text()
    for text in (out.read_text(), report.read_text(), done.stderr, done.stdout):
        assert "s3cret" not in text


def test_labels_that_the_model_lacks_are_an_error_that_lists_its_labels(folder: Path) -> None:
    data = table(folder / "other.csv", [("dark.mp4", "swim", "", "", BOX)])
    model = str(folder / "model.safetensors")
    result = CliRunner().invoke(app, ["--data", str(data), "--model", model, *SETTINGS])
    assert result.exit_code == 2
    printed = " ".join(result.output.split())
    assert "no label swim and no background label; its labels are stand, walk" in printed
    assert "--alias swim=LABEL" in printed


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "give --data, --events, --everyday, --tracking or --detection"),
        (["--tracking", "gt.txt"], "--tracking and --video belong together"),
        (["--detection", "d", "--report", "r.html"], "--report shows clips and events"),
        (["--data", "a.csv", "--target-false-alarms", "1"], "give --events"),
        (["--events", "a.csv", "--write-config", "r.yaml"], "give both"),
        (["--data", "a.csv", "--alias", "walk"], "expected DATA=MODEL"),
        (["--data", "no.csv"], "no.csv: no such file"),
        (["--data", "a.csv", "--set", "detector.confidance=1"], "detector.confidance: unknown key"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_options_that_cannot_work_are_named_before_anything_is_loaded(
    arguments: list[str], expected: str
) -> None:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert expected in " ".join(result.output.split())


def test_a_split_that_nothing_is_in_is_named(folder: Path) -> None:
    data = folder / "split.csv"
    data.write_text("path,label,split\ndark.mp4,stand,train\n")
    result = CliRunner().invoke(app, ["--data", str(data), "--split", "test"])
    assert result.exit_code == 2
    assert "no sample is in the split test; there are train" in " ".join(result.output.split())
