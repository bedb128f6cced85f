"""The BlazePose adapter, on a small network whose answers are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.pose.blazepose import CROP_SCALE, SIDE, BlazePoseEstimator, crop_transform
from tests.models.pose.made_up_blazepose import POINT, save_blazepose


@pytest.fixture(scope="module")
def estimator(tmp_path_factory: pytest.TempPathFactory) -> BlazePoseEstimator:
    return BlazePoseEstimator(save_blazepose(tmp_path_factory.mktemp("pose") / "pose.xml"))


def test_landmarks_return_to_the_pixels_of_the_image(estimator: BlazePoseEstimator) -> None:
    image = np.full((400, 400, 3), 255, np.uint8)
    box = np.array([[150, 100, 250, 300]], np.float32)  # upright: tried in one position
    points = estimator.estimate(image, box)[0]
    scale = 200 * CROP_SCALE / SIDE
    expected = 200 + (np.array(POINT) - SIDE / 2) * scale
    assert points.shape == (17, 3)
    np.testing.assert_allclose(points[:, :2], np.tile(expected, (17, 1)), atol=1e-3)
    np.testing.assert_allclose(points[:, 2], 1 / (1 + np.exp(-2.0)), atol=1e-5)


@pytest.mark.parametrize(("head_left", "turn_deg"), [(True, 90.0), (False, -90.0)])
def test_a_lying_person_is_turned_until_the_head_is_up(
    estimator: BlazePoseEstimator, head_left: bool, turn_deg: float
) -> None:
    image = np.zeros((400, 400, 3), np.uint8)
    image[:, slice(0, 150) if head_left else slice(250, 400)] = 255
    box = np.array([[100, 150, 300, 250]], np.float32)
    points = estimator.estimate(image, box)[0]
    there = crop_transform(box[0], turn_deg) @ [*points[0, :2], 1]
    np.testing.assert_allclose(there, POINT, atol=1e-2)


def test_a_box_without_a_person_has_no_points(estimator: BlazePoseEstimator) -> None:
    image = np.zeros((200, 200, 3), np.uint8)
    boxes = np.array([[50, 50, 90, 190], [10, 10, 190, 50]], np.float32)
    assert not estimator.estimate(image, boxes).any()
    assert estimator.estimate(image, boxes[:0]).shape == (0, 17, 3)


def test_another_network_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"small\.xml is no landmark network of BlazePose"):
        BlazePoseEstimator(save_blazepose(tmp_path / "small.xml", side=128))
    (tmp_path / "x.tflite").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"x\.tflite cannot be loaded by OpenVINO"):
        BlazePoseEstimator(tmp_path / "x.tflite")
