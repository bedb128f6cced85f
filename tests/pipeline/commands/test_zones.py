"""The command `zones`: whose zones are drawn, into which file, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from pipeline.commands.zones import app
from tests.conftest import write_video

CONFIG = """
cameras:
  street: {zones: {left: {points: [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]}}}
  yard: {url: "rtsp://viewer:hunter2@127.0.0.1:1/main"}
  gate: {zones: {all: {points: [[0, 0], [1, 0], [1, 1], [0, 1]]}}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("zones")
    write_video(path / "street.mp4", [0.0, 0.1, 0.2], wh=(160, 120))
    (path / "site.yaml").write_text(CONFIG)
    return path


def run(folder: Path, *arguments: str, config: bool = True) -> tuple[int, str]:
    more = ["--config", str(folder / "site.yaml")] if config else []
    result = CliRunner().invoke(app, [*arguments, *more, "--output", str(folder / "out")])
    return result.exit_code, " ".join(result.output.split())


def test_the_zones_of_the_camera_of_the_files_name_are_drawn(folder: Path) -> None:
    code, said = run(folder, str(folder / "street.mp4"), "--point", "40,60", "--point", "0.9,0.5")
    assert code == 0, said
    assert "zone left: 50.0% of the image" in said
    assert "point 0.2500,0.5000; pixel 40,60; in left" in said
    assert "pixel 144,60; in no zone" in said
    target = folder / "out" / "zones" / "street.png"
    assert said.endswith("street.png")
    assert cv2.imread(str(target)).shape == (120, 160, 3)
    assert target.stat().st_mode & 0o077 == 0


def test_a_name_before_the_file_says_whose_zones_are_meant(folder: Path) -> None:
    target = folder / "gate.jpg"
    for _ in range(2):  # the second time replaces it
        code, said = run(folder, f"gate={folder / 'street.mp4'}", "--image", str(target))
        assert code == 0, said
        assert "camera gate" in said
        assert "zone all" in said
    assert target.is_file()


def test_a_camera_is_drawn_like_a_file(folder: Path) -> None:
    code, said = run(folder, f"gate={folder / 'street.mp4'}?live")
    assert code == 0, said
    assert "zone all: 100.0% of the image" in said


def test_a_camera_without_settings_is_told_which_there_are(folder: Path) -> None:
    code, said = run(folder, f"door={folder / 'street.mp4'}")
    assert code == 0
    assert "the configuration has no camera door; it has street, yard, gate" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["yrad"], "yrad: no such file, and no camera of the configuration (yard)"),
        (["gate"], "cameras.gate: it has no url; give a source: gate=SOURCE"),
        (["street.mp4", "--image", "street.gif"], "expected FILE.png or FILE.jpg"),
        (["street.mp4", "--point", "900,1"], "--point 900,1: outside of the image of 160x120"),
        (["street.mp4", "--at", "9"], "ends after 0.20 s"),
        (["yard"], "camera yard (rtsp://"),
    ],
)
def test_what_cannot_be_drawn_is_explained_without_credentials(
    folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(folder)
    code, said = run(folder, *arguments)
    assert code in (1, 2)
    assert message in said
    assert "hunter2" not in said


def test_the_source_is_never_overwritten(folder: Path) -> None:
    image = folder / "still.png"
    cv2.imwrite(str(image), np.zeros((48, 64, 3), np.uint8))
    before = image.read_bytes()
    code, said = run(folder, str(image), "--image", str(image), config=False)
    assert code == 2
    assert "it is the source; not overwritten" in said
    assert image.read_bytes() == before
