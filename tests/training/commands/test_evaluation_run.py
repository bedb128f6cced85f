"""`evaluate --detection` and `--tracking`: the configured parts on made data."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from tests.conftest import write_video
from training.commands.evaluate import app

BUILTIN = ["--set", "detector.weights=builtin", "--set", "device=cpu"]


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A grey image that is labelled with a person, and one that is labelled with none."""
    for name in ("images", "labels"):
        (tmp_path / name).mkdir()
    for name in ("a", "b"):
        cv2.imwrite(str(tmp_path / "images" / f"{name}.png"), np.full((96, 96, 3), 90, np.uint8))
    (tmp_path / "labels" / "a.txt").write_text("0 0.5 0.5 0.2 0.6\n")
    return tmp_path


def test_a_detector_that_finds_no_person_has_no_average_precision(images: Path) -> None:
    out = images / "out.json"
    result = CliRunner().invoke(
        app, ["--detection", str(images), "--json", str(out), *BUILTIN], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    assert "AP50" in result.output
    document = json.loads(out.read_text())
    assert document["detector"] == "builtin"
    assert (document["detection"]["ap50"], document["detection"]["people"]) == (0.0, 1)
    assert "model" not in document  # no recognizer was needed


def test_a_tracker_that_follows_no_person_has_no_accuracy(tmp_path: Path) -> None:
    truth, out = tmp_path / "gt.txt", tmp_path / "out.json"
    truth.write_text("".join(f"{n},1,10,5,12,30,1,-1,-1,-1\n" for n in (1, 2, 3)))
    video = write_video(tmp_path / "a.mp4", [0, 0.1, 0.2], shade=lambda index: 90)
    arguments = ["--tracking", truth, "--video", video, "--json", out, *BUILTIN]
    result = CliRunner().invoke(app, [str(each) for each in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "HOTA" in result.output
    tracking = json.loads(out.read_text())["tracking"]
    assert (tracking["mota"], tracking["recall"], tracking["people"]) == (0.0, 0.0, 1)


@pytest.mark.parametrize(
    ("arguments", "expected", "code"),
    [
        (["--detection", "none"], "none", 2),
        (["--tracking", "gt.txt", "--video", "none.mp4"], "none.mp4: no such file", 2),
        (["--tracking", "bad.txt", "--video", "a.mp4"], "bad.txt, line 1", 2),
        (["--tracking", "gt.txt", "--video", "bad.mp4"], "bad.mp4: not a readable video", 1),
    ],
)
def test_what_cannot_be_read_is_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    expected: str,
    code: int,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("gt.txt").write_text("1,1,10,5,12,30,1,-1,-1,-1\n")
    Path("bad.txt").write_text("1,1,ten\n")
    Path("bad.mp4").write_bytes(b"no video")
    write_video(Path("a.mp4"), [0, 0.1])
    result = CliRunner().invoke(app, [*arguments, *BUILTIN])
    assert result.exit_code == code, result.output
    assert expected in " ".join(result.output.split())
