"""Which detector runs, and what the user is told about it."""

from __future__ import annotations

import logging
import socket
from pathlib import Path
from typing import Any

import pytest

from models import detector_choice
from models.detector_choice import build_person_detector
from models.hog_detector import HogPersonDetector

SETTINGS: dict[str, Any] = {
    "confidence": 0.4,
    "iou": 0.7,
    "image_size": 640,
    "device": "cpu",
    "batch_size": 1,
    "decide_s": 10.0,
    "limit_s": 10.0,
}


@pytest.fixture
def unreachable() -> str:
    """The URL of a port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


def test_without_weights_and_network_people_are_still_detected_and_the_user_is_told_once(
    tmp_path: Path, unreachable: str, caplog: pytest.LogCaptureFixture
) -> None:
    detector = build_person_detector(
        "yolo11n.pt", cache_dir=tmp_path, base_url=unreachable, **SETTINGS
    )
    assert isinstance(detector, HogPersonDetector)
    (warning,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    text = warning.getMessage()
    assert "yolo11n.pt" in text
    assert "HOG of OpenCV" in text
    assert f"save {unreachable}/yolo11n.pt in {tmp_path}" in text


def test_a_path_that_is_not_there_never_falls_back(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"mine\.pt"):
        build_person_detector(str(tmp_path / "mine.pt"), cache_dir=tmp_path, **SETTINGS)


def test_weights_that_are_there_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "yolo11n.pt").touch()
    built: list[tuple[Path, dict[str, object]]] = []

    def yolo(weights: Path, **settings: object) -> str:
        built.append((weights, settings))
        return "the YOLO"

    monkeypatch.setattr(detector_choice, "YoloPersonDetector", yolo)
    detector: object = build_person_detector(
        "yolo11n.pt", directories=[tmp_path], cache_dir=tmp_path / "cache", **SETTINGS
    )
    assert detector == "the YOLO"
    expected = {k: v for k, v in SETTINGS.items() if not k.endswith("_s")}
    assert built == [(tmp_path / "yolo11n.pt", expected)]
