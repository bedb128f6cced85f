"""Device and precision of training."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from models.slowfast.recognizer3d import Recognizer3D
from models.slowfast.zoo import slowonly_r50
from tests.training.factories import tiny_model
from training.fitting.compute import choose_precision, make_fabric, pathway_frames

CPU = torch.device("cpu")


def two_slow_frames() -> Recognizer3D:
    model = tiny_model()
    model.input_spec = replace(model.input_spec, clip_len=8)
    return model


@pytest.fixture
def has_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: True)


@pytest.mark.usefixtures("has_bfloat16")
def test_two_frames_are_never_trained_in_bfloat16_on_a_cpu(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert choose_precision("auto", CPU, two_slow_frames()) == "32-true"
    assert "clip_len 8 gives a pathway of two frames: trained in float32" in caplog.text
    with pytest.raises(ValueError, match="bfloat16 gradients are wrong on a CPU; use float32"):
        choose_precision("bfloat16", CPU, two_slow_frames())


@pytest.mark.usefixtures("has_bfloat16")
def test_other_clips_are_trained_in_the_fastest_precision() -> None:
    assert choose_precision("auto", CPU, tiny_model()) == "bf16-mixed"
    assert choose_precision("float32", CPU, two_slow_frames()) == "32-true"


def test_float16_needs_a_gpu() -> None:
    with pytest.raises(ValueError, match="float16 needs a GPU"):
        choose_precision("float16", CPU, tiny_model())


def test_frames_are_counted_per_pathway() -> None:
    assert pathway_frames(tiny_model()) == (4, 16)
    assert pathway_frames(slowonly_r50(2)) == (8,)


def test_one_device_needs_no_second_process() -> None:
    fabric = make_fabric(CPU, 1, "32-true")
    assert (fabric.world_size, fabric.device) == (1, CPU)
