"""The YOLO adapter, on a real ultralytics model with made-up weights and on a real one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.detectors.ultralytics_import import import_ultralytics
from models.detectors.yolo import (
    UnknownClassError,
    YoloPersonDetector,
    class_index,
    to_detections,
)
from tests.models.detection_scores import detection_score

SETTINGS: dict[str, Any] = {"iou": 0.7, "image_size": 160, "device": "cpu", "batch_size": 4}


def save_made_up_yolo(path: Path, names: dict[int, str], bias: float = 0.0) -> Path:
    """A YOLO11n with random weights that half suspects a thing of class 5 everywhere."""
    torch.manual_seed(0)
    model = import_ultralytics().YOLO("yolo11n.yaml", verbose=False)
    for scale in model.model.model[-1].cv3:  # the class scores of the three strides
        scale[-1].bias.data[5] = bias
    model.model.names = names
    model.save(path)
    return path


def test_weights_that_are_no_numbers_are_refused_by_name(tmp_path: Path) -> None:
    path = save_made_up_yolo(tmp_path / "nan.pt", {n: "person" for n in range(80)}, bias=np.nan)
    with pytest.raises(ValueError, match=r"nan\.pt: weights are not numbers: model\.23\.cv3\.0"):
        YoloPersonDetector(path, confidence=0.5, **SETTINGS)


def made_up_image(seed: int, height: int, width: int) -> NDArray[np.uint8]:
    noise = np.random.default_rng(seed).integers(0, 256, (height // 8, width // 8, 3), np.uint8)
    return np.asarray(cv2.resize(noise, (width, height)), np.uint8)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    names = {n: f"thing {n}" for n in range(80)} | {5: "Person"}
    return save_made_up_yolo(tmp_path_factory.mktemp("weights") / "made_up.pt", names)


@pytest.fixture(scope="module")
def detector(weights: Path) -> YoloPersonDetector:
    return YoloPersonDetector(weights, confidence=0.0, **SETTINGS)


def test_results_do_not_depend_on_the_other_images_of_a_call(detector: YoloPersonDetector) -> None:
    shapes = [(96, 128), (128, 96), (96, 128), (96, 128), (200, 64)]
    images = [made_up_image(n, *shape) for n, shape in enumerate(shapes)]
    together = detector.detect(images)
    assert max(map(len, together)) > 1
    for image, found in zip(images, together, strict=True):
        alone = detector.detect([image])[0]
        assert found.xyxy.tobytes() == alone.xyxy.tobytes()
        assert found.confidence.tobytes() == alone.confidence.tobytes()


def test_boxes_lie_inside_the_image_and_have_an_area(detector: YoloPersonDetector) -> None:
    found = detector.detect([made_up_image(0, 96, 128)])[0]
    assert found.xyxy.dtype == found.confidence.dtype == np.float32
    assert (found.xyxy >= 0).all()
    assert (found.xyxy <= (128, 96, 128, 96)).all()
    assert (found.xyxy[:, 2:] - found.xyxy[:, :2] >= 1).all()
    assert (np.diff(found.confidence) <= 0).all()


def test_no_images_give_no_results(detector: YoloPersonDetector) -> None:
    assert detector.detect([]) == []


def test_description_names_weights_and_size(detector: YoloPersonDetector) -> None:
    assert detector.description == "YOLO made_up.pt (pt, 160x160, cpu)"


def test_an_impossible_image_size_is_reported(
    weights: Path, caplog: pytest.LogCaptureFixture
) -> None:
    YoloPersonDetector(weights, confidence=0.5, **SETTINGS | {"image_size": 150})
    assert "runs at 160x160 pixels, not 150" in caplog.text


def test_a_model_without_people_is_an_error_that_lists_its_classes(tmp_path: Path) -> None:
    cars = save_made_up_yolo(tmp_path / "cars.pt", {n: f"car {n}" for n in range(80)})
    with pytest.raises(ValueError, match=r"cars\.pt has no class named 'person'.*car 0, car 1"):
        YoloPersonDetector(cars, confidence=0.5, **SETTINGS)


@pytest.mark.parametrize("name", ["broken.pt", "broken.onnx", "broken_openvino_model"])
def test_weights_that_cannot_be_loaded_are_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if path.suffix:
        path.write_bytes(b"these are no weights")
    else:
        path.mkdir()
    with pytest.raises(ValueError, match=rf"{name} cannot be loaded as YOLO weights"):
        YoloPersonDetector(path, confidence=0.5, **SETTINGS)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")
def test_exported_onnx_weights_find_the_same_people(weights: Path) -> None:
    export = import_ultralytics().YOLO(weights).export
    exported = Path(export(format="onnx", imgsz=160, simplify=False, verbose=False))
    image = made_up_image(3, 160, 160)
    settings = {"confidence": 0.3, **SETTINGS}
    [plain] = YoloPersonDetector(weights, **settings).detect([image])
    onnx = YoloPersonDetector(exported, **settings, person_class="person")
    with pytest.raises(UnknownClassError, match="its classes are: thing 0"):
        YoloPersonDetector(exported, **settings, person_class="pedestrian")
    [found] = onnx.detect([image])
    assert "onnx" in onnx.description
    assert len(plain) > 0
    assert found.confidence == pytest.approx(plain.confidence, abs=1e-3)
    # Made-up weights suspect many places equally, so that rounding decides the order.
    assert sorted(found.xyxy.round().tolist()) == sorted(plain.xyxy.round().tolist())


def test_missing_weights_are_an_error_and_not_a_download(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"yolo11n\.pt"):
        YoloPersonDetector(tmp_path / "yolo11n.pt", confidence=0.5, **SETTINGS)


def test_the_class_is_found_by_its_name() -> None:
    assert class_index("person", {0: "car", 7: "Person"}, Path("w.pt")) == 7
    numbered: Any = {0: 7, 1: 8}
    assert class_index("8", numbered, Path("w.pt")) == 1
    assert class_index("Fußgänger", {0: "person", 1: "FUSSGÄNGER "}, Path("w.pt")) == 1


def test_an_unknown_class_lists_a_hundred_classes_at_most() -> None:
    names = {n: f"thing {n}" for n in range(1203)}
    with pytest.raises(UnknownClassError, match=r"thing 98, thing 99 and 1103 more$"):
        class_index("person", names, Path("w.pt"))


def test_people_are_the_class_that_is_asked_for(weights: Path) -> None:
    """The same made-up weights: all that they find is of class 5."""
    image = made_up_image(3, 160, 160)
    named = {"confidence": 0.3, **SETTINGS}
    [people] = YoloPersonDetector(weights, **named, person_class="PERSON").detect([image])
    [things] = YoloPersonDetector(weights, **named, person_class="thing 6").detect([image])
    assert len(people) > 0
    assert len(things) == 0


def test_equally_confident_boxes_come_in_an_order_of_their_own() -> None:
    image = np.zeros((100, 100, 3), np.uint8)
    rows = np.array(
        [[5, 5, 20, 20, 0.5, 0], [1, 5, 20, 20, 0.5, 0], [1, 5, 20, 20, 0.9, 0]], np.float32
    )
    forwards, backwards = to_detections(rows, image), to_detections(rows[::-1], image)
    assert forwards.xyxy.tolist() == backwards.xyxy.tolist()
    assert forwards.xyxy[:, 0].tolist() == [1, 1, 5]


def test_boxes_that_are_no_boxes_are_dropped() -> None:
    rows = np.array(
        [[-9, 5, 20, 20, 0.9, 0], [5, 5, 5.5, 20, 0.8, 0], [np.nan, 5, 9, 9, 0.7, 0]], np.float32
    )
    found = to_detections(rows, np.zeros((100, 100, 3), np.uint8))
    assert found.xyxy.tolist() == [[0, 5, 20, 20]]


@pytest.mark.slow
def test_importing_ultralytics_leaves_the_process_as_it_was(tmp_path: Path) -> None:
    program = """
import logging, os
import cv2
from models.detectors.ultralytics_import import import_ultralytics
before = cv2.getNumThreads()
import_ultralytics().YOLO
import torch
assert cv2.getNumThreads() == before, cv2.getNumThreads()
assert "OMP_NUM_THREADS" not in os.environ
print(torch.get_num_threads())
"""
    clean = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    with_it, without_it = (
        subprocess.run(
            [sys.executable, "-c", text],
            env=clean,
            cwd=Path(__file__).parents[3],
            capture_output=True,
            text=True,
            check=True,
        )
        for text in (program, "import torch; print(torch.get_num_threads())")
    )
    assert with_it.stdout == without_it.stdout
    assert not with_it.stderr
    assert not list(tmp_path.iterdir()), "it wrote into the user's home"


@pytest.mark.slow
def test_a_real_model_finds_nearly_all_pedestrians(shared_data: Path) -> None:
    weights = shared_data / "data/weights/yolo11n_int8_openvino_model"
    detector = YoloPersonDetector(
        weights, confidence=0.4, iou=0.7, image_size=640, device="cpu", batch_size=1
    )
    score = detection_score(detector, shared_data, frame_step=80)
    assert score.recall > 0.8
    assert score.precision > 0.9
