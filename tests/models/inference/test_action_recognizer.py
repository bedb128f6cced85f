"""The prepared recognizer: same scores alone and in company, close to the plain network."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from models.inference.action_recognizer import ActionRecognizer
from models.inference.clip_transform import ClipTransform
from models.inference.device import Backend, Precision, select_backend, select_device
from models.inference.temperature import apply_temperatures
from models.slowfast.default_decision import DefaultDecision, LabelDecision
from models.slowfast.recognizer3d import Recognizer3D
from models.slowfast.zoo import slowfast_compact

BACKENDS: list[Backend] = ["torch", "openvino"]


@pytest.fixture(scope="module")
def model() -> Recognizer3D:
    """A network that is not indifferent: batch norms away from their start."""
    torch.manual_seed(0)
    recognizer = slowfast_compact(6).eval()
    for module in recognizer.modules():
        if isinstance(module, nn.BatchNorm3d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.get_buffer("running_var"), 0.5, 1.5)
    return recognizer


@pytest.fixture(scope="module")
def clips(model: Recognizer3D) -> list[NDArray[np.uint8]]:
    spec = model.input_spec
    shape = (5, spec.clip_len, spec.crop_size, spec.crop_size, 3)
    return list(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))


def plain_scores(model: Recognizer3D, clip: NDArray[np.uint8]) -> NDArray[np.float32]:
    with torch.inference_mode():
        network_input = ClipTransform(model.input_spec)(torch.from_numpy(clip[None]))
        return np.asarray(model.forward_test(network_input)[0], np.float32)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_clip_scores_the_same_bits_alone_and_among_others(
    backend: Backend, model: Recognizer3D, clips: list[NDArray[np.uint8]]
) -> None:
    recognizer = ActionRecognizer(model, device="cpu", batch_size=4, backend=backend)
    together = recognizer.predict(clips)
    assert together.shape == (5, 6)
    assert together.dtype == np.float32
    for index in (0, 3, 4):
        assert np.array_equal(recognizer.predict([clips[index]])[0], together[index])
    assert np.array_equal(recognizer.predict(clips[::-1])[::-1], together)
    again = ActionRecognizer(model, device="cpu", backend=backend)
    assert np.array_equal(again.predict(clips), together)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-4), ("auto", 0.02)])
def test_prepared_scores_are_close_to_the_plain_network(
    precision: Precision,
    tolerance: float,
    backend: Backend,
    model: Recognizer3D,
    clips: list[NDArray[np.uint8]],
) -> None:
    recognizer = ActionRecognizer(model, device="cpu", precision=precision, backend=backend)
    scores = recognizer.predict(clips[:1])
    assert recognizer.describe().endswith(f"by {backend}")
    np.testing.assert_allclose(scores[0], plain_scores(model, clips[0]), atol=tolerance)


def test_the_given_network_stays_as_it_is(model: Recognizer3D) -> None:
    before = {key: value.clone() for key, value in model.state_dict().items()}
    ActionRecognizer(model, device="cpu", precision="bfloat16", backend="torch")
    after = model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) for key in before)


@pytest.mark.parametrize("backend", BACKENDS)
def test_many_labels_score_independently(backend: Backend, clips: list[NDArray[np.uint8]]) -> None:
    torch.manual_seed(0)
    single = slowfast_compact(6)
    spec = replace(single.input_spec, multi_label=True)
    recognizer = Recognizer3D(single.architecture, spec)
    nn.init.constant_(recognizer.cls_head.fc_cls.bias, 3.0)
    scores = ActionRecognizer(recognizer, device="cpu", backend=backend).predict(clips[:1])
    assert scores.min() > 0.5


def test_no_clips_give_no_rows(model: Recognizer3D) -> None:
    assert ActionRecognizer(model, device="cpu").predict([]).shape == (0, 6)


def test_a_clip_of_another_shape_is_refused(model: Recognizer3D) -> None:
    recognizer = ActionRecognizer(model, device="cpu")
    with pytest.raises(ValueError, match=r"a clip must be uint8 \(16, 112, 112, 3\)"):
        recognizer.predict([np.zeros((16, 96, 96, 3), np.uint8)])


def test_a_missing_gpu_is_named() -> None:
    with pytest.raises(ValueError, match="device 'cuda:99' does not exist"):
        select_device("cuda:99")


@pytest.mark.parametrize("name", ["gpu", "mps"])
def test_an_unknown_device_is_named(name: str) -> None:
    with pytest.raises(ValueError, match=f"auto, cpu or cuda:N, got '{name}'"):
        select_device(name)


def test_float16_on_a_cpu_is_refused(model: Recognizer3D) -> None:
    with pytest.raises(ValueError, match="float16 needs a GPU"):
        ActionRecognizer(model, device="cpu", precision="float16")


def test_a_cpu_uses_openvino_and_a_gpu_torch_by_default() -> None:
    cpu, gpu = torch.device("cpu"), torch.device("cuda:0")
    assert select_backend("auto", cpu) == "openvino"
    assert select_backend("torch", cpu) == select_backend("auto", gpu) == "torch"
    with pytest.raises(ValueError, match="openvino runs on the CPU, not on cuda:0"):
        select_backend("openvino", gpu)


def test_scores_beyond_half_precision_are_computed_in_float32(
    model: Recognizer3D,
    clips: list[NDArray[np.uint8]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    loud = copy.deepcopy(model)
    loud.backbone.slow.stem.bn.weight.data *= 1e6  # finite in float32, not in float16
    loud.cls_head.fc_cls.weight.data *= 1e-6
    half = "models.inference.action_recognizer.select_dtype"
    monkeypatch.setattr(half, lambda *_: torch.float16)  # as on a GPU
    recognizer = ActionRecognizer(loud, device="cpu", backend="torch")
    assert "in float16" in recognizer.describe()
    scores = recognizer.predict(clips[:2])
    assert "in float32" in recognizer.describe()
    assert np.isfinite(scores).all()
    assert caplog.text.count("scores in float16 are not finite") == 1
    np.testing.assert_allclose(scores[1], plain_scores(loud, clips[1]), atol=1e-3)


def test_temperatures_of_the_weights_are_applied_and_nothing_else_changes(
    model: Recognizer3D, clips: list[NDArray[np.uint8]]
) -> None:
    model, clips = copy.deepcopy(model), clips[:1]
    plain = ActionRecognizer(model, device="cpu", backend="torch").predict(clips)
    cool = LabelDecision(start_threshold=0.7, end_threshold=0.4)
    model.default_decision = DefaultDecision(labels={"class_0": cool})
    same = ActionRecognizer(model, device="cpu", backend="torch").predict(clips)
    assert same.tobytes() == plain.tobytes()
    warm = LabelDecision(temperature=3.0)
    model.default_decision = DefaultDecision(
        labels={label: warm for label in model.input_spec.labels}
    )
    tempered = ActionRecognizer(model, device="cpu", backend="torch").predict(clips)
    assert tempered == pytest.approx(apply_temperatures(plain, [3.0] * 6, multi_label=False))
    assert tempered.max() < plain.max()
