"""The person detector that ships, as it ships."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from models.detectors.factory import COMPACT_WEIGHTS, build_person_detector
from models.detectors.yolo import YoloPersonDetector
from pipeline.sources.file_decoder import VideoReader
from tests.models.detection_scores import detection_score

SETTINGS: dict[str, Any] = {
    "confidence": 0.4,
    "iou": 0.7,
    "image_size": 640,
    "device": "cpu",
    "batch_size": 1,
    "decide_s": 10.0,
    "limit_s": 10.0,
}


@pytest.fixture(scope="module")
def compact() -> YoloPersonDetector:
    detector = build_person_detector("compact", **SETTINGS)
    assert isinstance(detector, YoloPersonDetector)
    return detector


def test_it_is_under_ten_megabytes_and_holds_no_pickle() -> None:
    files = list(COMPACT_WEIGHTS.iterdir())
    assert {file.suffix for file in files} == {".xml", ".bin", ".yaml"}
    assert sum(file.stat().st_size for file in files) < 10e6


def test_it_keeps_its_own_size_whatever_the_configuration_sets(compact: YoloPersonDetector) -> None:
    assert "416x416" in compact.description
    assert compact.description.startswith("YOLO person_detector_openvino_model (openvino, ")


def test_it_sees_the_pedestrians_of_the_demo(compact: YoloPersonDetector, demo_video: Path) -> None:
    with closing(VideoReader(demo_video)) as reader:
        image = next(reader.frames()).image
    people = compact.detect([image])[0]
    assert len(people) >= 4
    heights = people.xyxy[:, 3] - people.xyxy[:, 1]
    widths = people.xyxy[:, 2] - people.xyxy[:, 0]
    assert (heights > widths).all()


@pytest.mark.slow
def test_it_finds_the_pedestrians_of_a_known_place(
    compact: YoloPersonDetector, shared_data: Path
) -> None:
    score = detection_score(compact, shared_data, frame_step=64)
    assert score.recall > 0.8
    assert score.precision > 0.85
