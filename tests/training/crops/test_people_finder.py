"""Detector and tracker of the configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.config import load_train_config
from training.crops.people_finder import ConfiguredPeopleFinder


def finder(*settings: str) -> ConfiguredPeopleFinder:
    config = load_train_config(None, list(settings))
    return ConfiguredPeopleFinder(config.detector, config.tracker, Path(), "cpu")


def test_weights_on_disk_are_known_without_loading_them(tmp_path: Path) -> None:
    weights = tmp_path / "yolo.onnx"
    weights.write_bytes(b"no network at all")
    first = finder(f"detector.weights={weights}").identity
    assert first == finder(f"detector.weights={weights}").identity
    weights.write_bytes(b"another one that is longer")
    assert finder(f"detector.weights={weights}").identity != first


@pytest.mark.parametrize(
    "setting", ["detector.confidence=0.2", "tracker.name=bytetrack", "tracker.max_age=5"]
)
def test_other_settings_find_other_people(setting: str) -> None:
    builtin = "detector.weights=builtin"
    assert finder(builtin, setting).identity != finder(builtin).identity


def test_what_is_no_file_is_known_by_what_was_built() -> None:
    found = finder("detector.weights=builtin")
    assert "HOG" in found.identity
    assert found.detector is found.detector
