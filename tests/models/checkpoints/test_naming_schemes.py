"""Files of every naming scheme load, complete, and score as their owner would."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch

from models import CheckpointError, load_recognizer
from models.slowfast.input_spec import (
    FACEBOOK_MEAN,
    FACEBOOK_STD,
    IMAGENET_MEAN,
    IMAGENET_STD,
)
from tests.models.published_files import (
    FACEBOOK,
    MMACTION2,
    ONE_PATHWAY,
    PYSLOWFAST,
    PYTORCHVIDEO,
    SLOW,
    SLOWONLY,
    in_naming_scheme,
    same_logits,
    save,
    small_network,
)

CASES: list[Any] = [
    pytest.param(MMACTION2, "state_dict", {}, id="mmaction2"),
    pytest.param(MMACTION2, "state_dict", FACEBOOK, id="mmaction2 lateral norm"),
    pytest.param(MMACTION2, "state_dict", {"slow_depth": 34}, id="mmaction2 two depths"),
    pytest.param(SLOWONLY, "state_dict", ONE_PATHWAY, id="mmaction2 SlowOnly"),
    pytest.param(
        MMACTION2,
        "state_dict",
        {"head": "roi", "spatial_strides": (1, 2, 2, 1), "roi_resolution": 8},
        id="mmaction2 AVA",
    ),
    pytest.param(
        PYTORCHVIDEO,
        "model_state",
        FACEBOOK | {"slow_depth": 50, "fast_depth": 50},
        id="pytorchvideo",
    ),
    pytest.param(SLOW, "model_state", ONE_PATHWAY, id="pytorchvideo Slow"),
    pytest.param(
        PYTORCHVIDEO,
        "model_state",
        FACEBOOK
        | {
            "head": "roi",
            "spatial_strides": (1, 2, 2, 1),
            "dilations": (1, 1, 1, 2),
            "roi_aligned": False,
        },
        id="pytorchvideo detection",
    ),
    pytest.param(PYSLOWFAST, "model_state", FACEBOOK, id="PySlowFast"),
    pytest.param(
        PYSLOWFAST,
        "model_state",
        FACEBOOK | {"slow_inflate": (0, 0, (1, 0), 1)},
        id="PySlowFast inflated in part",
    ),
    pytest.param(
        PYSLOWFAST,
        "model_state",
        FACEBOOK | {"slow_non_local_at": ((), (1,), (0, 1), ())},
        id="PySlowFast non-local",
    ),
]


@pytest.mark.parametrize(("marker", "container", "changes"), CASES)
def test_a_file_of_each_naming_scheme_gives_the_scores_of_its_network(
    marker: str, container: str, changes: dict[str, Any], tmp_path: Path
) -> None:
    model = small_network(**changes)
    path = tmp_path / "checkpoint.pth"
    torch.save({container: in_naming_scheme(model, marker), "epoch": 3}, path)
    loaded = load_recognizer(path)
    assert loaded.architecture == model.architecture
    assert not loaded.training
    same_logits(loaded, model, "stride" if "backbone" in marker else "linspace")


@pytest.mark.parametrize(
    ("marker", "changes", "sampling", "mean", "std"),
    [
        (MMACTION2, {}, "stride", IMAGENET_MEAN, IMAGENET_STD),
        (PYTORCHVIDEO, FACEBOOK, "linspace", FACEBOOK_MEAN, FACEBOOK_STD),
        (PYSLOWFAST, FACEBOOK, "linspace", FACEBOOK_MEAN, FACEBOOK_STD),
    ],
)
def test_every_family_brings_its_own_frames_and_colours(
    marker: str, changes: Any, sampling: str, mean: Any, std: Any, tmp_path: Path
) -> None:
    spec = load_recognizer(save(small_network(**changes), marker, tmp_path / "a.pth")).input_spec
    assert (spec.slow_sampling, spec.mean, spec.std) == (sampling, mean, std)
    assert (spec.colour_order, spec.clip_len, spec.frame_interval, spec.alpha) == ("rgb", 32, 2, 4)
    assert (spec.crop_size, spec.target_fps, spec.multi_label) == (224, 30.0, False)


def test_what_does_not_fit_is_listed_by_its_name_in_the_file(tmp_path: Path) -> None:
    state = in_naming_scheme(small_network(**FACEBOOK), PYSLOWFAST)
    del state["s3.pathway1_res1.branch2.b_bn.weight"]
    state["s2.pathway0_nonlocal1.conv_g.weight"] = torch.zeros(3)
    state["s5.pathway0_res0.branch1.weight"] = torch.zeros(4, 4, 1, 1, 1)
    torch.save({"model_state": state}, tmp_path / "a.pyth")
    with pytest.raises(CheckpointError) as caught:
        load_recognizer(tmp_path / "a.pyth")
    message = str(caught.value)
    assert "3 weights do not fit" in message
    assert "missing s3.pathway1_res1.branch2.b_bn.weight" in message
    assert "unexpected s2.pathway0_nonlocal1.conv_g.weight" in message
    assert "s5.pathway0_res0.branch1.weight has shape (4, 4, 1, 1, 1), expected" in message


def test_weights_from_several_gpus_and_from_a_wrapped_network_load(tmp_path: Path) -> None:
    model = small_network(**FACEBOOK)
    state = in_naming_scheme(model, PYTORCHVIDEO)
    for prefix in ("module.", "model."):
        torch.save(OrderedDict((prefix + k, v) for k, v in state.items()), tmp_path / "a.pyth")
        same_logits(load_recognizer(tmp_path / "a.pyth"), model, "linspace")
