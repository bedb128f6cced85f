"""The weights of the right network are found among wrappers, averages and bookkeeping."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from models import CheckpointError, load_recognizer
from models.checkpoints.state_dicts import (
    choose_network,
    find_networks,
    find_state_dicts,
    without_wrappers,
)
from models.slowfast.recognizer3d import Recognizer3D
from tests.models.published_files import (
    MMACTION2,
    PYSLOWFAST,
    PYTORCHVIDEO,
    SLOW,
    SLOWONLY,
    in_naming_scheme,
    small_network,
)

MARKERS = (MMACTION2, SLOWONLY, PYTORCHVIDEO, SLOW, PYSLOWFAST)


def names(*of: str) -> dict[str, Tensor]:
    return {name: torch.zeros(1) for name in of}


def only(content: dict[str, Any], key: str | None = None) -> dict[str, Tensor]:
    return choose_network(find_networks(find_state_dicts(content)), key).tensors


@pytest.mark.parametrize("marker", MARKERS)
@pytest.mark.parametrize(
    "prefix",
    [
        "module.",
        "_orig_mod.",
        "model.",
        "module._orig_mod.",
        "_orig_mod.module.",
        "model.module._orig_mod.",
        "module.model._forward_module.net.",
        "lit.model.recognizer.",
        "_fsdp_wrapped_module._checkpoint_wrapped_module.",
    ],
)
def test_wrappers_of_any_order_are_taken_off(prefix: str, marker: str) -> None:
    assert only({"state_dict": names(prefix + marker, f"{prefix}other.weight")}).keys() == {
        marker,
        "other.weight",
    }


def test_wrappers_inside_of_the_network_are_taken_off_too() -> None:
    inside = MMACTION2.replace("backbone.", "backbone._orig_mod.")
    assert only(names(inside, "cls_head.module.fc_cls.weight")).keys() == {
        MMACTION2,
        "cls_head.fc_cls.weight",
    }


def test_names_that_would_become_one_stay_as_they_are() -> None:
    both = names("a.weight", "module.a.weight")
    assert without_wrappers(both).keys() == both.keys()


@pytest.mark.parametrize(
    "path",
    [("state_dict",), ("model",), ("checkpoint", "state_dict"), ("ema", "module"), ("net",), ()],
)
def test_state_dicts_are_found_wherever_they_lie(path: tuple[str, ...]) -> None:
    content: dict[str, Any] = names(MMACTION2)
    for key in reversed(path):
        content = {key: content}
    assert only(content | {"optimizer": {"state": {0: names("exp_avg")}}}).keys() == {MMACTION2}


AVERAGED = [
    "state_dict_ema",
    "ema_state_dict",
    "model_ema",
    "ema",
    "averaged",
    "swa_model",
]


@pytest.mark.parametrize("key", AVERAGED)
def test_averaged_weights_are_used_when_they_are_asked_for(key: str) -> None:
    content = {key: {MMACTION2: torch.ones(1)}, "state_dict": {MMACTION2: torch.zeros(1)}}
    assert only(content)[MMACTION2] == 0
    assert only(content, key)[MMACTION2] == 1
    assert only(content, "state_dict")[MMACTION2] == 0
    assert only({key: content[key]})[MMACTION2] == 1  # nothing else is there


def test_an_average_inside_of_the_state_dict_is_a_network_of_its_own() -> None:
    content = {"state_dict": names(f"model.{MMACTION2}", f"ema_model.module.{MMACTION2}")}
    found = find_networks(find_state_dicts(content))
    assert [(one.key, one.averaged) for one in found] == [
        ("state_dict.ema_model", True),
        ("state_dict.model", False),
    ]
    assert choose_network(found, None).key == "state_dict.model"
    assert choose_network(found, "state_dict.ema_model").key == "state_dict.ema_model"


def test_two_networks_of_one_standing_must_be_named() -> None:
    content = {"state_dict": names(f"student.{MMACTION2}", f"teacher.{MMACTION2}")}
    with pytest.raises(ValueError, match=r"several networks, state_dict\.student, state_dict\.t"):
        only(content)
    assert only(content, "state_dict.teacher").keys() == {MMACTION2}
    with pytest.raises(ValueError, match="no weights 'ema'; there are state_dict"):
        only(content, "ema")


@pytest.mark.parametrize(
    "name",
    [
        "cls_head.loss_cls.class_weight",
        "cls_head.loss_cls.pos_weight",
        "criterion.weight",
        "loss_fn.pos_weight",
        "cls_head.class_weights",
    ],
)
def test_class_weights_of_a_loss_are_not_of_the_network(name: str) -> None:
    (network,) = find_networks({"": {MMACTION2: torch.zeros(3, 3), name: torch.ones(5)}})
    assert network.ignored == (name,)
    assert network.tensors.keys() == {MMACTION2}


def test_counters_of_an_average_are_not_of_the_network() -> None:
    tensors = names(f"module.{MMACTION2}", "n_averaged", "steps") | names("ema_backbone_conv")
    (network,) = find_networks({"": tensors})
    assert network.ignored == ("n_averaged", "steps", "ema_backbone_conv")


@pytest.fixture(scope="module")
def model() -> Recognizer3D:
    return small_network()


def test_a_training_run_of_lightning_with_averages_loads_by_choice(
    model: Recognizer3D, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    state = in_naming_scheme(model, MMACTION2)
    averaged = {k: v + 1 if v.is_floating_point() else v for k, v in state.items()}
    content = {
        **{f"model._orig_mod.{key}": value for key, value in state.items()},
        **{f"model_ema.module.{key}": value for key, value in averaged.items()},
        "criterion.weight": torch.ones(5),
        "model.cls_head.loss_cls.class_weight": torch.ones(5),
    }
    path = tmp_path / "last.ckpt"
    torch.save({"state_dict": content, "epoch": 3}, path)
    bias = model.cls_head.fc_cls.bias
    with caplog.at_level(logging.INFO):
        assert torch.equal(load_recognizer(path).cls_head.fc_cls.bias, bias)
    assert "the weights state_dict.model are used; it also has state_dict.model_ema" in caplog.text
    assert "model.cls_head" not in caplog.text.split("not read: ")[0]
    loaded = load_recognizer(path, state_dict="state_dict.model_ema")
    assert torch.equal(loaded.cls_head.fc_cls.bias, bias + 1)
    with pytest.raises(CheckpointError, match=r"last\.ckpt: it has no weights 'averaged'"):
        load_recognizer(path, state_dict="averaged")


def test_a_network_for_boxes_keeps_the_prefix_that_belongs_to_it(tmp_path: Path) -> None:
    boxes = small_network(head="roi", spatial_strides=(1, 2, 2, 1), lateral_norm=True)
    state = in_naming_scheme(boxes, PYTORCHVIDEO)
    torch.save({"model_state": {f"module.lit.{k}": v for k, v in state.items()}}, tmp_path / "a")
    loaded = load_recognizer(tmp_path / "a")
    assert loaded.architecture.head == "roi"
    assert torch.equal(loaded.cls_head.fc_cls.bias, boxes.cls_head.fc_cls.bias)
