"""Which detector runs, and what is logged about it."""

from __future__ import annotations

import logging
import socket
from pathlib import Path
from typing import Any

import pytest

from models.detectors import factory as detector_choice
from models.detectors.factory import COMPACT_SIZE, COMPACT_WEIGHTS, build_person_detector
from models.detectors.hog import HogPersonDetector
from models.detectors.yolo import UnknownClassError

SETTINGS: dict[str, Any] = {
    "confidence": 0.4,
    "iou": 0.7,
    "image_size": 640,
    "device": "cpu",
    "batch_size": 1,
    "decide_s": 10.0,
    "limit_s": 10.0,
}
MODEL_SETTINGS = {key: value for key, value in SETTINGS.items() if not key.endswith("_s")} | {
    "person_class": "person"
}


@pytest.fixture
def unreachable() -> str:
    """The URL of a port on which no server listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, dict[str, object]]]:
    """What the YOLO adapter was asked to load; it loads nothing."""
    calls: list[tuple[Path, dict[str, object]]] = []

    class Yolo:
        description = "the YOLO"

        def __init__(self, weights: Path, **settings: object) -> None:
            calls.append((weights, settings))

    monkeypatch.setattr(detector_choice, "YoloPersonDetector", Yolo)
    return calls


def test_without_weights_and_network_the_compact_detector_runs_and_is_reported_once(
    tmp_path: Path,
    unreachable: str,
    built: list[tuple[Path, dict[str, object]]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    build_person_detector("yolo11n.pt", cache_dir=tmp_path, base_url=unreachable, **SETTINGS)
    assert [weights for weights, _ in built] == [COMPACT_WEIGHTS]
    (warning,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    text = warning.getMessage()
    assert "yolo11n.pt" in text
    assert f"save {unreachable}/yolo11n.pt in {tmp_path}" in text
    assert "detector.weights=compact" in text


def test_compact_has_its_own_size_and_logs_nothing(
    built: list[tuple[Path, dict[str, object]]], caplog: pytest.LogCaptureFixture
) -> None:
    build_person_detector("compact", **SETTINGS)
    assert built == [(COMPACT_WEIGHTS, MODEL_SETTINGS | {"image_size": COMPACT_SIZE})]
    assert not caplog.records


def test_builtin_loads_no_weights(built: list[tuple[Path, dict[str, object]]]) -> None:
    assert isinstance(build_person_detector("builtin", **SETTINGS), HogPersonDetector)
    assert not built


def test_builtin_knows_people_alone() -> None:
    with pytest.raises(UnknownClassError, match="builtin has no class 'head', only person"):
        build_person_detector("builtin", **SETTINGS, person_class="head")


def test_a_path_that_is_not_there_never_falls_back(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"mine\.pt"):
        build_person_detector(str(tmp_path / "mine.pt"), cache_dir=tmp_path, **SETTINGS)


def test_weights_that_are_there_are_used(
    tmp_path: Path, built: list[tuple[Path, dict[str, object]]]
) -> None:
    (tmp_path / "yolo11n.pt").touch()
    build_person_detector(
        "yolo11n.pt", directories=[tmp_path], cache_dir=tmp_path / "cache", **SETTINGS
    )
    assert built == [(tmp_path / "yolo11n.pt", MODEL_SETTINGS)]
