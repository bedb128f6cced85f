"""The ultralytics pose adapter, on a real model with made-up weights and on a real one."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from models.detectors.ultralytics_import import import_ultralytics
from models.pose.key_points import ANKLES, NAMES
from models.pose.yolo_pose import YoloPoseEstimator, match_by_iou

SIZE = 96


def save_made_up(path: Path, kind: str = "yolo11n-pose.yaml") -> Path:
    torch.manual_seed(0)
    model = import_ultralytics().YOLO(kind, verbose=False)
    for scale in model.model.model[-1].cv3:  # the scores of the three strides: people everywhere
        scale[-1].bias.data[:] = 2.0
    model.save(path)
    return path


@pytest.fixture(scope="module")
def estimator(tmp_path_factory: pytest.TempPathFactory) -> YoloPoseEstimator:
    weights = save_made_up(tmp_path_factory.mktemp("weights") / "made_up.pt")
    return YoloPoseEstimator(weights, image_size=SIZE, device="cpu")


def test_a_box_gets_the_points_of_the_person_that_overlaps_it(estimator: YoloPoseEstimator) -> None:
    image = np.full((SIZE, SIZE, 3), 90, np.uint8)
    boxes, points = estimator._predict(image)
    apart = match_by_iou(boxes, boxes[:1], 0.4)[0][0]
    nowhere = np.array([[-900, -900, -800, -800]], np.float32)
    found = estimator.estimate(image, np.concatenate([nowhere, boxes[apart : apart + 1]]))
    assert found.dtype == np.float32
    assert not found[0].any(), "nobody overlaps it"
    assert found[1].tobytes() == points[apart].tobytes()


def test_nobody_tracked_needs_no_pass(estimator: YoloPoseEstimator) -> None:
    assert estimator.estimate(np.zeros((8, 8, 3), np.uint8), np.zeros((0, 4), np.float32)).size == 0


def test_the_pairs_that_overlap_most_come_first_and_nobody_is_paired_twice() -> None:
    a = np.array([[0, 0, 10, 10], [2, 0, 12, 10], [50, 50, 60, 60]], np.float32)
    b = np.array([[2, 0, 12, 10], [0, 0, 9, 10]], np.float32)
    assert match_by_iou(a, b, 0.4) == [(1, 0), (0, 1)]
    assert match_by_iou(a[:0], b, 0.4) == []


def test_a_detector_is_refused_as_a_pose_network(tmp_path: Path) -> None:
    detector = save_made_up(tmp_path / "detector.pt", "yolo11n.yaml")
    with pytest.raises(ValueError, match=r"detector\.pt"):
        YoloPoseEstimator(detector, image_size=SIZE, device="cpu")


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.pt").write_bytes(b"no weights")
    with pytest.raises(ValueError, match=r"x\.pt cannot be loaded as pose weights"):
        YoloPoseEstimator(tmp_path / "x.pt", image_size=SIZE, device="cpu")


def test_a_person_upright_has_the_head_above_the_feet(shared_data: Path, tmp_path: Path) -> None:
    exported = shared_data / "data/weights/teachers/pose_yolov8n_int8_openvino"
    if not exported.is_dir():
        pytest.skip(f"no pose weights in {exported}")
    weights = tmp_path / "pose_openvino_model"  # ultralytics asks for this ending
    weights.symlink_to(exported)
    capture = cv2.VideoCapture(str(shared_data / "data/daily_living/adl/01_walking_slowly.mp4"))
    capture.set(cv2.CAP_PROP_POS_FRAMES, 60)
    image = np.asarray(capture.read()[1], np.uint8)
    person = np.array([[470, 135, 550, 460]], np.float32)
    points = YoloPoseEstimator(weights, image_size=640, device="cpu").estimate(image, person)[0]
    assert points[NAMES.index("left_shoulder"), 2] > 0.5
    assert points[5:7, 1].max() < points[11:13, 1].min() < points[list(ANKLES), 1].min()
