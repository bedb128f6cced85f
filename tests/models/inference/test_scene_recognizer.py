"""The RoI head and the recognizer around it: an answer per box, of what is in the box."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.inference.device import Backend
from models.inference.openvino_network import OpenVinoNetwork
from models.inference.scene_recognizer import SceneRecognizer
from models.slowfast.recognizer3d import Recognizer3D
from models.slowfast.roi_head import RoIHead, whole_frames
from tests.models.published_files import small_network


@pytest.fixture(scope="module")
def network() -> Recognizer3D:
    model = small_network(head="roi", spatial_strides=(1, 2, 2, 1))
    model.cls_head.fc_cls.weight.data *= 0.01  # scores that are neither 0 nor 1
    return model


@pytest.fixture(scope="module")
def frames(network: Recognizer3D) -> NDArray[np.uint8]:
    shape = (network.input_spec.clip_len, 64, 96, 3)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


BACKENDS: list[Backend] = ["torch", "openvino"]
BOXES = np.array([[8, 8, 40, 60], [50, 4, 90, 50], [-3, 20, 30, 70]], np.float32)


def ready(network: Recognizer3D, backend: Backend) -> SceneRecognizer:
    return SceneRecognizer(network, device="cpu", precision="float32", backend=backend)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_box_scores_the_same_alone_and_among_others(
    network: Recognizer3D, frames: NDArray[np.uint8], backend: Backend
) -> None:
    recognizer = ready(network, backend)
    together = recognizer.predict_scene(frames, BOXES)
    assert together.shape == (3, 5)
    assert together.dtype == np.float32
    for index in range(3):
        alone = recognizer.predict_scene(frames, BOXES[index : index + 1])
        np.testing.assert_allclose(alone[0], together[index], atol=1e-6)
    assert np.abs(together[0] - together[1]).max() > 1e-3


@pytest.mark.parametrize("backend", BACKENDS)
def test_prepared_scores_are_those_of_the_plain_network(
    network: Recognizer3D, frames: NDArray[np.uint8], backend: Backend
) -> None:
    spec = network.input_spec
    rgb = torch.from_numpy(frames[..., ::-1].astype(np.float32))
    clip = ((rgb - torch.tensor(spec.mean)) / torch.tensor(spec.std)).permute(3, 0, 1, 2)[None]
    boxes = torch.from_numpy(np.c_[np.zeros(3, np.float32), BOXES])
    with torch.inference_mode():
        expected = network(clip, boxes).sigmoid().numpy()
    found = ready(network, backend).predict_scene(frames, BOXES)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_cameras_of_different_shapes_take_turns_without_compiling_again(
    network: Recognizer3D, frames: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[tuple[int, ...]] = []

    def count(module: nn.Module, example: tuple[Tensor], **options: Any) -> OpenVinoNetwork:
        compiled.append(tuple(example[0].shape[2:4]))
        return OpenVinoNetwork(module, example, **options)

    monkeypatch.setattr("models.inference.scene_recognizer.OpenVinoNetwork", count)
    recognizer = ready(network, "openvino")
    wide, tall = frames, np.ascontiguousarray(frames.transpose(0, 2, 1, 3))
    first, other = recognizer.predict_scene(wide, BOXES), recognizer.predict_scene(tall, BOXES)
    assert np.array_equal(recognizer.predict_scene(wide, BOXES), first)
    assert np.array_equal(recognizer.predict_scene(tall, BOXES), other)
    assert compiled == [(64, 96), (96, 64)]


def test_the_shape_seen_longest_ago_is_compiled_again(
    network: Recognizer3D, frames: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.inference.scene_recognizer.KEPT_SHAPES", 1)
    recognizer = ready(network, "openvino")
    expected = recognizer.predict_scene(frames, BOXES)
    recognizer.predict_scene(np.ascontiguousarray(frames.transpose(0, 2, 1, 3)), BOXES)
    assert np.array_equal(recognizer.predict_scene(frames, BOXES), expected)


def test_a_box_sees_its_own_place_and_no_other() -> None:
    head = RoIHead(2, 2, feature_stride=16, multi_label=True).eval()
    head.fc_cls.weight.data = torch.eye(2)
    features = torch.zeros(1, 2, 4, 4, 6)
    features[0, 0, :, 1, 1] = 1.0  # pixels 16 to 32
    boxes = torch.tensor([[0.0, 16, 16, 32, 32], [0, 64, 32, 96, 64]])
    with torch.inference_mode():
        here, elsewhere = head((features,), boxes)
    assert here[0] > 0.5
    assert elsewhere[0] == 0


def test_columns_are_fast_then_slow() -> None:
    head = RoIHead(3, 3).eval()
    head.fc_cls.weight.data = torch.eye(3)
    slow, fast = torch.full((1, 1, 2, 4, 4), 1.0), torch.full((1, 2, 8, 4, 4), 2.0)
    with torch.inference_mode():
        logits = head((slow, fast), torch.tensor([[0.0, 0, 0, 64, 64]]))
    assert logits.tolist() == [[2.0, 2.0, 1.0]]


def test_without_boxes_the_whole_frame_is_one(network: Recognizer3D) -> None:
    clip = torch.randn(2, 3, 16, 64, 96)
    boxes = whole_frames(clip)
    assert boxes.tolist() == [[0, 0, 0, 96, 64], [1, 0, 0, 96, 64]]
    with torch.inference_mode():
        assert torch.equal(network(clip), network(clip, boxes))


def test_what_is_no_scene_is_refused(network: Recognizer3D, frames: NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match="has no RoI head"):
        SceneRecognizer(small_network())
    recognizer = SceneRecognizer(network, device="cpu")
    with pytest.raises(ValueError, match="a scene has 16 frames"):
        recognizer.predict_scene(frames[:5], BOXES)
    with pytest.raises(ValueError, match=r"boxes must be \(N, 4\)"):
        recognizer.predict_scene(frames, BOXES[0])


@pytest.mark.parametrize("backend", BACKENDS)
def test_it_describes_itself(network: Recognizer3D, backend: Backend) -> None:
    text = ready(network, backend).describe()
    assert text.endswith(f"on cpu in float32 by {backend}, whole scenes")
