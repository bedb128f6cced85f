"""Which pose network runs for a name or path."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from models.pose import factory
from models.pose.factory import build_pose_estimator

SETTINGS: dict[str, Any] = {"image_size": 640, "device": "cpu", "decide_s": 20.0, "limit_s": 20.0}


@pytest.fixture
def unreachable() -> str:
    """The URL of a port on which no server listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_path_that_is_not_there_is_an_error_that_lists_the_names() -> None:
    with pytest.raises(
        FileNotFoundError, match=r"no pose weights at no\.pt; names are blazepose_l"
    ):
        build_pose_estimator("no.pt", **SETTINGS)


@pytest.mark.parametrize("name", ["yolo11n-pose.pt", "blazepose_lite"])
def test_weights_that_cannot_be_fetched_are_an_error_and_nothing_else_runs(
    tmp_path: Path, unreachable: str, name: str
) -> None:
    with pytest.raises(ValueError, match=f"{name} .*fetched"):
        build_pose_estimator(
            name, cache_dir=tmp_path, base_url=unreachable, registry=unreachable, **SETTINGS
        )


def test_the_suffix_of_a_file_chooses_the_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(factory, "BlazePoseEstimator", lambda path: ("blazepose", path))
    monkeypatch.setattr(factory, "YoloPoseEstimator", lambda path, **settings: ("yolo", path))
    for name, kind in {"a.tflite": "blazepose", "b.pt": "yolo"}.items():
        (tmp_path / name).touch()
        built = build_pose_estimator(name, directories=[tmp_path], **SETTINGS)
        assert built == (kind, tmp_path / name)
