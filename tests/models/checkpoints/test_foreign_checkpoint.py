"""Files of other libraries: recognized, complete, and scored as the weights' owner would."""

from __future__ import annotations

import json
import logging
import pickle
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from models import CheckpointError, load_recognizer
from models.checkpoints.checkpoint import save_recognizer
from models.checkpoints.naming_schemes import NAMING_SCHEMES
from models.slowfast.input_spec import (
    FACEBOOK_MEAN,
    FACEBOOK_STD,
    IMAGENET_MEAN,
    IMAGENET_STD,
    numbered_labels,
)
from models.slowfast.recognizer3d import Recognizer3D
from tests.models.published_files import in_naming_scheme, small_network, write_caffe2

MMACTION2, SLOWONLY, PYTORCHVIDEO, SLOW, PYSLOWFAST = (scheme.marker for scheme in NAMING_SCHEMES)
FACEBOOK = {"lateral_norm": True}
ONE_PATHWAY = {"fast_depth": None, "alpha": 1, "beta_inv": 8, "fusion_kernel": 5}


def clip_of(model: Recognizer3D) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 3, 16, 48, 64, generator=generator)


def same_logits(loaded: Recognizer3D, model: Recognizer3D, sampling: str) -> None:
    """The file's owner picks slow frames by its own rule; the rest is the network's."""
    model.input_spec = replace(model.input_spec, slow_sampling=sampling)
    with torch.inference_mode():
        torch.testing.assert_close(
            loaded(clip_of(model)), model(clip_of(model)), rtol=1e-4, atol=1e-4
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


def test_a_caffe2_file_gives_the_scores_of_its_network(tmp_path: Path) -> None:
    model = small_network(**FACEBOOK, slow_depth=50, fast_depth=50)
    path = tmp_path / "SLOWFAST_8x8_R50.pkl"
    write_caffe2(path, in_naming_scheme(model, PYSLOWFAST))
    same_logits(load_recognizer(path), model, "linspace")


def test_a_caffe2_file_for_boxes_aligns_them_as_caffe2_did(tmp_path: Path) -> None:
    changes = {"head": "roi", "spatial_strides": (1, 2, 2, 1), "dilations": (1, 1, 1, 2)}
    model = small_network(**FACEBOOK, **changes, roi_aligned=False)
    state = in_naming_scheme(model, PYSLOWFAST)
    eighty = {"head.projection.weight": torch.randn(80, 80), "head.projection.bias": torch.ones(80)}
    write_caffe2(tmp_path / "ava.pkl", state | eighty)
    assert load_recognizer(tmp_path / "ava.pkl").architecture == model.architecture
    config = "DETECTION: {ENABLE: true, ALIGNED: false}"
    torch.save({"model_state": state, "cfg": config}, tmp_path / "ava.pyth")
    assert load_recognizer(tmp_path / "ava.pyth").architecture == model.architecture


def test_a_caffe2_file_for_boxes_has_non_local_blocks_as_caffe2_had(tmp_path: Path) -> None:
    model = small_network(
        **FACEBOOK,
        **{"head": "roi", "spatial_strides": (1, 2, 2, 1), "dilations": (1, 1, 1, 2)},
        **{"slow_non_local_at": ((), (), (1,), ()), "non_local_pool": (2, 2, 2)},
        roi_aligned=False,
    )
    eighty = Recognizer3D(
        model.architecture, replace(model.input_spec, labels=numbered_labels(80))
    ).eval()
    eighty.backbone.load_state_dict(model.backbone.state_dict())
    write_caffe2(tmp_path / "ava.pkl", in_naming_scheme(eighty, PYSLOWFAST))
    loaded = load_recognizer(tmp_path / "ava.pkl")
    assert loaded.architecture == model.architecture
    same_logits(loaded, eighty, "linspace")


def test_non_local_blocks_are_pooled_and_compared_as_the_file_notes(tmp_path: Path) -> None:
    model = small_network(
        **FACEBOOK,
        slow_non_local_at=((), (1,), (), ()),
        non_local_pool=(1, 3, 3),
        non_local_instantiation="softmax",
    )
    config = """
NONLOCAL:
  {LOCATION: [[[], []], [[1], []], [[], []], [[], []]], GROUP: [[1, 1], [1, 1], [4, 1], [1, 1]],
   INSTANTIATION: softmax,
   POOL: [[[2, 2, 2], [1, 1, 1]], [[1, 3, 3], [1, 1, 1]], [[2, 2, 2], [1, 1, 1]], [[2, 2, 2]]]}
"""
    loaded = load_recognizer(save(model, PYSLOWFAST, tmp_path / "a.pyth", cfg=config))
    assert loaded.architecture == model.architecture
    same_logits(loaded, model, "linspace")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("LOCATION: [[[]], [[1]], [[]], [[]]], GROUP: [[1], [4], [1], [1]]", "groups of frames"),
        ("LOCATION: [[[0]], [[1]]], POOL: [[[1, 2, 2]], [[2, 2, 2]]]", "pool differently"),
    ],
)
def test_non_local_blocks_of_another_kind_are_refused(
    config: str, message: str, tmp_path: Path
) -> None:
    model = small_network(**FACEBOOK, slow_non_local_at=((0,), (1,), (), ()))
    path = save(model, PYSLOWFAST, tmp_path / "a.pyth", cfg=f"NONLOCAL: {{{config}}}")
    with pytest.raises(CheckpointError, match=message):
        load_recognizer(path)


# Their pooling in time is in no weight: taken for SlowOnly, they would give wrong scores.
@pytest.mark.parametrize(
    "changes",
    [
        {"slow_inflate": (0, 0, 0, 0)},
        {"slow_conv1_kernel": (5, 7, 7), "slow_inflate": (1, (1, 0), (1, 0), (0, 1))},
    ],
    ids=["C2D", "I3D"],
)
@pytest.mark.parametrize("marker", [SLOWONLY, PYSLOWFAST])
def test_other_networks_with_one_pathway_are_not_taken_for_slowonly(
    marker: str, changes: dict[str, Any], tmp_path: Path
) -> None:
    model = small_network(**ONE_PATHWAY, **changes)
    with pytest.raises(CheckpointError, match="as in C2D or I3D, not in SlowOnly"):
        load_recognizer(save(model, marker, tmp_path / "a.pth"))


def test_the_file_says_itself_which_network_it_is(tmp_path: Path) -> None:
    model = small_network(**ONE_PATHWAY)
    path = save(model, PYSLOWFAST, tmp_path / "a.pyth", cfg="MODEL: {ARCH: i3d}")
    with pytest.raises(CheckpointError, match=r"MODEL\.ARCH is i3d"):
        load_recognizer(path)
    save(model, PYSLOWFAST, path, cfg="MODEL: {ARCH: slow}")
    assert load_recognizer(path).architecture == model.architecture


def test_two_dimensional_convolutions_are_refused(tmp_path: Path) -> None:
    torch.save({"state_dict": {SLOWONLY: torch.zeros(64, 3, 7, 7)}}, tmp_path / "tsn.pth")
    with pytest.raises(CheckpointError, match="have no time"):
        load_recognizer(tmp_path / "tsn.pth")


@pytest.mark.parametrize(
    ("config", "order"),
    [
        ("DETECTION: {ENABLE: true}\nAVA: {BGR: true}", "bgr"),
        (
            "DETECTION: {ENABLE: true}\nAVA: {BGR: false}\nDATA: {REVERSE_INPUT_CHANNEL: true}",
            "rgb",
        ),
        ("DATA: {REVERSE_INPUT_CHANNEL: true}", "bgr"),
    ],
)
def test_the_order_of_colours_is_the_one_that_the_file_notes(
    config: str, order: str, tmp_path: Path
) -> None:
    head = "roi" if "DETECTION" in config else "clip"
    path = save(small_network(**FACEBOOK, head=head), PYSLOWFAST, tmp_path / "a.pyth", cfg=config)
    assert load_recognizer(path).input_spec.colour_order == order


def save(model: Recognizer3D, marker: str, path: Path, **beside: Any) -> Path:
    container = "state_dict" if "backbone" in marker else "model_state"
    torch.save({container: in_naming_scheme(model, marker)} | beside, path)
    return path


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


@pytest.mark.parametrize(("kernel", "alpha"), [(7, 4), (5, 8)])
def test_alpha_follows_the_laterals_of_the_public_models(
    kernel: int, alpha: int, tmp_path: Path
) -> None:
    path = save(small_network(fusion_kernel=kernel), MMACTION2, tmp_path / "a.pth")
    model = load_recognizer(path)
    assert model.architecture.alpha == model.input_spec.alpha == alpha
    assert model.input_spec.name == f"slowfast_r18_{32 // alpha}x{2 * alpha}"


def test_the_configuration_in_a_pyslowfast_file_counts_more_than_habit(tmp_path: Path) -> None:
    config = """
SLOWFAST: {ALPHA: 2}
DATA:
  {NUM_FRAMES: 64, SAMPLING_RATE: 3, TRAIN_CROP_SIZE: 160, TARGET_FPS: 25, MEAN: [0.5, 0.5, 0.5]}
MODEL: {ARCH: slowfast, HEAD_ACT: sigmoid}
"""
    network = small_network(**FACEBOOK)
    spec = load_recognizer(save(network, PYSLOWFAST, tmp_path / "a.pyth", cfg=config)).input_spec
    assert (spec.alpha, spec.clip_len, spec.frame_interval) == (2, 64, 3)
    assert (spec.crop_size, spec.target_fps, spec.multi_label) == (160, 25.0, True)
    assert spec.mean == (127.5, 127.5, 127.5)
    assert spec.std == FACEBOOK_STD


def test_the_configuration_in_an_mmaction2_file_counts_more_than_habit(tmp_path: Path) -> None:
    config = (
        "model = dict(backbone=dict(resample_rate=8, speed_ratio=4),"
        " cls_head=dict(multi_class=True))\n"
        "train_pipeline = [dict(type='SampleFrames', clip_len=64, frame_interval=1)]"
    )
    meta = {"config": config, "CLASSES": ["run", "walk", "sit", "stand", "fall"]}
    model = load_recognizer(save(small_network(), MMACTION2, tmp_path / "a.pth", meta=meta))
    spec = model.input_spec
    assert (spec.alpha, model.architecture.resample_rate) == (4, 8)
    assert (spec.clip_len, spec.frame_interval, spec.multi_label) == (64, 1, True)
    assert spec.labels == ("run", "walk", "sit", "stand", "fall")


def test_a_configuration_that_cannot_be_read_is_ignored(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    network = small_network(**FACEBOOK)
    config = "MODEL: !!python/object:os.system {}"
    assert load_recognizer(save(network, PYSLOWFAST, tmp_path / "a.pyth", cfg=config))
    assert "and is ignored" in caplog.text
    meta = {"config": "model = dict("}
    assert load_recognizer(save(small_network(), MMACTION2, tmp_path / "a.pth", meta=meta))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.labels.txt", "run\nwalk\n\nsit\nstand\nfall\n"),
        ("labels.txt", "0: run\n1: walk\n2: sit\n3: stand\n4: fall"),
        ("a.labels.txt", "1: run\n2: walk\n3: sit\n4: stand\n5: fall"),
        ("a.labels.json", '["run", "walk", "sit", "stand", "fall"]'),
        ("labels.json", '{"\\"walk\\"": 1, "run": 0, "sit": 2, "stand": 3, "fall": 4}'),
        ("labels.json", '{"0": "run", "1": "walk", "2": "sit", "3": "stand", "4": "fall"}'),
    ],
)
def test_a_file_beside_it_names_the_classes(name: str, content: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    path = save(small_network(), MMACTION2, tmp_path / "a.pth")
    assert load_recognizer(path).input_spec.labels == ("run", "walk", "sit", "stand", "fall")


def test_classes_that_nobody_names_are_numbered_and_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "labels.txt").write_text("1: run\n3: sit")
    path = save(small_network(), MMACTION2, tmp_path / "a.pth")
    labels = load_recognizer(path).input_spec.labels
    assert labels == ("class_0", "run", "class_2", "sit", "class_4")
    (tmp_path / "labels.txt").unlink()
    assert load_recognizer(path).input_spec.labels[0] == "class_0"
    assert "a.labels.txt beside it names them" in caplog.text


@pytest.mark.parametrize("content", ["run\nwalk\n", "9: run\n"])
def test_labels_of_another_network_are_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text(content)
    with pytest.raises(CheckpointError, match=r"labels\.txt: .*for a network of 5 classes"):
        load_recognizer(save(small_network(), MMACTION2, tmp_path / "a.pth"))


def test_a_new_number_of_classes_makes_a_fresh_classifier_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    model = small_network(**FACEBOOK)
    path = save(model, PYSLOWFAST, tmp_path / "a.pyth")
    loaded = load_recognizer(path, num_classes=9)
    assert "a fresh classifier for 9 classes" in caplog.text
    assert loaded(clip_of(model)).shape == (2, 9)
    for name, value in model.backbone.state_dict().items():
        assert torch.equal(loaded.backbone.state_dict()[name], value), name
    kept = load_recognizer(path, num_classes=5)
    assert torch.equal(kept.cls_head.fc_cls.bias, model.cls_head.fc_cls.bias)


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


def test_counts_of_batches_may_be_missing(tmp_path: Path) -> None:
    model = small_network()
    state = in_naming_scheme(model, MMACTION2)
    state = {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}
    torch.save(state, tmp_path / "a.pth", _use_new_zipfile_serialization=False)
    same_logits(load_recognizer(tmp_path / "a.pth"), model, "stride")


class Anything:
    """Stands for an object of a library that is not there."""


def test_a_file_that_would_run_code_is_refused_with_the_way_to_convert_it(tmp_path: Path) -> None:
    state = in_naming_scheme(small_network(), MMACTION2)
    torch.save({"state_dict": state, "history": Anything()}, tmp_path / "a.pth")
    with pytest.raises(CheckpointError) as caught:
        load_recognizer(tmp_path / "a.pth")
    message = str(caught.value)
    assert "Anything" in message
    assert "weights_only=False" in message
    assert "torch.save({'state_dict'" in message


class Bomb:
    """Creates a file if it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_a_pickle_of_more_than_arrays_is_refused_and_not_run(tmp_path: Path) -> None:
    trace = tmp_path / "was_run"
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"blobs": {"conv1_w": Bomb(trace)}}))
    with pytest.raises(CheckpointError, match="not a pickle of plain NumPy arrays"):
        load_recognizer(tmp_path / "a.pkl")
    torch.save({"state_dict": Bomb(trace)}, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match="is refused"):
        load_recognizer(tmp_path / "a.pth")
    assert not trace.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"state_dict": {"layer.weight": torch.zeros(1)}}, "its weights are called layer.weight"),
        (
            {"state_dict": {MMACTION2: torch.zeros(64, 3, 1, 7, 7)}},
            "looks like a file of mmaction2",
        ),
        ([torch.zeros(1)], "holds a list, not weights by name"),
        ({"epoch": 3}, "its weights are called nothing"),
    ],
)
def test_a_file_without_a_slowfast_network_is_explained(
    content: Any, message: str, tmp_path: Path
) -> None:
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match=message):
        load_recognizer(tmp_path / "a.pth")


@pytest.mark.parametrize("name", ["a.pth", "a.pkl", "a.safetensors"])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_file_that_was_cut_off_is_named(name: str, share: float, tmp_path: Path) -> None:
    model = small_network(**FACEBOOK)
    path = tmp_path / name
    if name == "a.safetensors":
        save_recognizer(path, model)
    elif name == "a.pkl":
        write_caffe2(path, in_naming_scheme(model, PYSLOWFAST))
    else:
        save(model, PYSLOWFAST, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(CheckpointError, match=name):
        load_recognizer(path)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_recognizer(tmp_path)


def test_labels_beside_are_json_or_text(tmp_path: Path) -> None:
    (tmp_path / "labels.json").write_text(json.dumps("run"))
    with pytest.raises(CheckpointError, match=r"labels\.json: cannot be read as labels"):
        load_recognizer(save(small_network(), MMACTION2, tmp_path / "a.pth"))
