"""What is looked for before models are loaded."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.commands.preflight import check_weights, check_writable
from pipeline.config.schema import load_config
from pipeline.errors import ConfigError
from tests.conftest import REPOSITORY


def check(*settings: str) -> None:
    check_weights(load_config(None, settings), REPOSITORY)


@pytest.mark.parametrize(
    "detector", ["yolo11n.pt", "yolo26x.pt", "compact", "builtin", "run_pipeline.py", "models"]
)
def test_weights_that_are_there_or_can_be_fetched_pass(detector: str) -> None:
    check(f"detector.weights={detector}")


def test_every_file_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError) as caught:
        check("detector.weights=no/such.pt", "recognizer.weights=neither.safetensors")
    assert str(caught.value).splitlines() == [
        "recognizer.weights: there is no file neither.safetensors",
        "detector.weights: no detector weights at no/such.pt",
    ]


@pytest.mark.parametrize(
    ("written", "meant"),
    [("yolov11n.pt", "yolo11n.pt"), ("yolo8s.pt", "yolov8s.pt"), ("built-in", "builtin")],
)
def test_a_name_that_is_nearly_official_is_answered_with_it(written: str, meant: str) -> None:
    with pytest.raises(ConfigError, match=rf"did you mean {meant}\?"):
        check(f"detector.weights={written}")


def test_a_folder_that_can_be_made_passes_and_is_not_made(tmp_path: Path) -> None:
    check_writable("--output", tmp_path / "a" / "b")
    check_writable("--output", Path("made/by/the/run"))
    assert not list(tmp_path.iterdir())


def test_a_folder_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ConfigError, match=r"^--tracks: .*file is a file, not a folder"):
            check_writable("--tracks", folder)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ConfigError, match="no permission"):
        check_writable("--output", tmp_path / "new")


def test_a_name_that_no_file_can_have_is_an_error_like_any_other(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no file"):
        check(f"recognizer.weights={'x' * 5000}", "detector.weights=builtin")
    check_writable("--output", tmp_path / ("x" * 5000))
