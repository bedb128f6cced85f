"""What is written comes back, and what cannot be used is explained."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from models.checkpoints.checkpoint import (
    CheckpointError,
    load_recognizer,
    read_defaults,
    save_recognizer,
    write_decision,
)
from models.checkpoints.naming_schemes import OURS_UNTIL_FORMAT_2
from models.checkpoints.weight_files import content_identity, read_weights
from models.slowfast.default_decision import DefaultDecision, LabelDecision
from models.slowfast.recognizer3d import Recognizer3D
from models.slowfast.training_record import TrainingRecord
from models.slowfast.zoo import slowfast_compact
from tests.models.published_files import (
    MMACTION2,
    PYSLOWFAST,
    in_naming_scheme,
    save,
    small_network,
    write_caffe2,
)


@pytest.fixture(scope="module")
def recognizer() -> Recognizer3D:
    torch.manual_seed(0)
    model = slowfast_compact(2).eval()
    model.input_spec = replace(model.input_spec, labels=("stand", "walk"), name="mine")
    return model


@pytest.fixture(scope="module")
def saved(recognizer: Recognizer3D, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "mine.safetensors"
    save_recognizer(path, recognizer)
    return path


def rewrite(saved: Path, path: Path, change: dict[str, torch.Tensor | None]) -> Path:
    with safe_open(saved, framework="pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        metadata = file.metadata()
    tensors |= {key: value for key, value in change.items() if value is not None}
    for key in [key for key, value in change.items() if value is None]:
        del tensors[key]
    save_file(tensors, path, metadata)
    return path


def test_weights_and_spec_come_back(recognizer: Recognizer3D, saved: Path) -> None:
    loaded = load_recognizer(saved)
    assert loaded.input_spec == recognizer.input_spec
    assert not loaded.training
    for key, value in recognizer.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], value), key


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"lateral_norm": True, "slow_non_local_at": ((), (1,), (0,), ())},
        {"head": "roi", "spatial_strides": (1, 2, 2, 1)},
        {"fast_depth": None, "alpha": 1},
    ],
    ids=["two pathways", "non-local", "RoI head", "SlowOnly"],
)
def test_a_file_of_format_2_with_its_old_names_still_loads(
    changes: dict[str, object], tmp_path: Path
) -> None:
    model = small_network(**changes)
    new, old = tmp_path / "new.safetensors", tmp_path / "old.safetensors"
    save_recognizer(new, model)
    with safe_open(new, framework="pt") as file:
        metadata = file.metadata() | {"format": "behaviour-stream recognizer 2"}
    state = model.state_dict()
    renamed = {OURS_UNTIL_FORMAT_2.name(key, roi=False): value for key, value in state.items()}
    assert "backbone.slow_path.layer4.1.conv2.bn.running_var" in renamed
    assert "cls_head.fc_cls.weight" in renamed
    save_file(renamed, old, metadata)
    loaded = load_recognizer(old)
    assert (loaded.architecture, loaded.input_spec) == (model.architecture, model.input_spec)
    for key, value in state.items():
        assert torch.equal(loaded.state_dict()[key], value), key


def test_a_file_that_starts_like_a_pickle_is_read_as_what_it_is(
    recognizer: Recognizer3D, saved: Path, tmp_path: Path
) -> None:
    with safe_open(saved, framework="pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        metadata = file.metadata()
    path = tmp_path / "padded.safetensors"
    for padding in range(0, 256, 8):  # the header's length is a multiple of 8
        save_file(tensors, path, metadata | {"padding": "x" * padding})
        if path.read_bytes()[:1] == b"\x80":
            break
    assert path.read_bytes()[:1] == b"\x80"
    assert load_recognizer(path).input_spec == recognizer.input_spec


def test_half_weights_are_half_as_large_and_load_as_float32(
    recognizer: Recognizer3D, saved: Path, tmp_path: Path
) -> None:
    path = tmp_path / "half.safetensors"
    save_recognizer(path, recognizer, half=True)
    assert path.stat().st_size < 0.52 * saved.stat().st_size
    loaded = load_recognizer(path)
    assert {p.dtype for p in loaded.parameters()} == {torch.float32}
    torch.testing.assert_close(
        loaded.cls_head.fc_cls.weight, recognizer.cls_head.fc_cls.weight, atol=1e-4, rtol=1e-3
    )


FORMATS = ["a.pth", "a.pyth", "a.pkl", "a.safetensors"]


def write_as(path: Path, model: Recognizer3D) -> None:
    """Write the weights as this program, mmaction2, PySlowFast or Caffe2, by the ending."""
    if path.suffix == ".safetensors":
        metadata = {"format": "behaviour-stream recognizer 3"}
        metadata["architecture"] = model.architecture.to_json()
        metadata["input_spec"] = model.input_spec.to_json()
        save_file(dict(model.state_dict()), path, metadata)
    elif path.suffix == ".pkl":
        write_caffe2(path, in_naming_scheme(model, PYSLOWFAST))
    else:
        save(model, MMACTION2 if path.suffix == ".pth" else PYSLOWFAST, path)


@pytest.mark.parametrize(
    ("name", "value"),
    list(zip(FORMATS, [float("nan"), float("inf"), -float("inf"), float("nan")], strict=True)),
)
def test_a_weight_that_is_not_finite_is_refused_by_its_name_in_the_file(
    name: str, value: float, tmp_path: Path
) -> None:
    model = small_network(lateral_norm=True)
    weight = model.backbone.fast.res3[0].conv1.conv.weight
    weight.data.view(-1)[3:5] = value
    write_as(tmp_path / name, model)
    theirs = {
        ".pth": "backbone.fast_path.layer2.0.conv1.conv.weight",
        ".safetensors": "backbone.fast.res3.0.conv1.conv.weight",
    }.get(Path(name).suffix, "s3.pathway1_res0.branch2.a.weight")
    with pytest.raises(CheckpointError, match="not finite numbers") as caught:
        load_recognizer(tmp_path / name)
    assert f"{theirs} (2 of {weight.numel()} values)" in str(caught.value)
    assert "earlier checkpoint" in str(caught.value)


def test_what_float32_cannot_hold_is_not_finite(tmp_path: Path) -> None:
    state = in_naming_scheme(small_network(), MMACTION2)
    state["cls_head.fc_cls.bias"] = state["cls_head.fc_cls.bias"].double() + 1e300
    torch.save({"state_dict": state}, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match=r"cls_head\.fc_cls\.bias \(5 of 5 values\)"):
        load_recognizer(tmp_path / "a.pth")
    fresh = load_recognizer(tmp_path / "a.pth", num_classes=3)  # its classifier is not used
    assert fresh.cls_head.fc_cls.bias.isfinite().all()


def test_a_variance_below_zero_is_refused(tmp_path: Path) -> None:
    model = small_network()
    model.backbone.slow.stem.bn.running_var[0] = -1.0
    with pytest.raises(CheckpointError, match=r"conv1\.bn\.running_var \(a variance below zero\)"):
        load_recognizer(save(model, MMACTION2, tmp_path / "a.pth"))


def test_only_the_first_of_many_weights_are_listed(tmp_path: Path) -> None:
    model = small_network()
    for value in model.state_dict().values():
        if value.is_floating_point():
            value.fill_(float("nan"))
    with pytest.raises(CheckpointError, match=r"and \d+ more\. The training") as caught:
        load_recognizer(save(model, MMACTION2, tmp_path / "a.pth"))
    assert len(str(caught.value)) < 900


def test_weights_beyond_half_precision_are_kept_whole(tmp_path: Path) -> None:
    model = small_network()
    model.cls_head.fc_cls.weight.data[0, 0] = 1e5
    save_recognizer(tmp_path / "half.safetensors", model, half=True)
    assert load_recognizer(tmp_path / "half.safetensors").cls_head.fc_cls.weight[0, 0] == 1e5


def test_weights_that_are_not_finite_are_not_written(tmp_path: Path) -> None:
    model = small_network()
    model.cls_head.fc_cls.bias.data[0] = float("nan")
    with pytest.raises(ValueError, match=r"not written.* cls_head\.fc_cls\.bias"):
        save_recognizer(tmp_path / "a.safetensors", model)
    assert not list(tmp_path.iterdir())


def test_multi_label_survives(recognizer: Recognizer3D, tmp_path: Path) -> None:
    path = tmp_path / "multi.safetensors"
    spec = replace(recognizer.input_spec, multi_label=True)
    save_recognizer(path, Recognizer3D(recognizer.architecture, spec))
    assert load_recognizer(path).cls_head.multi_label


def test_every_user_who_may_read_the_folder_may_read_the_file(saved: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.touch()
    assert saved.stat().st_mode == plain.stat().st_mode


def test_another_number_of_classes_gives_a_fresh_head_on_the_same_backbone(
    recognizer: Recognizer3D, saved: Path
) -> None:
    loaded = load_recognizer(saved, num_classes=5)
    assert loaded.cls_head.fc_cls.weight.shape[0] == len(loaded.input_spec.labels) == 5
    assert torch.equal(
        loaded.backbone.slow.stem.conv.weight, recognizer.backbone.slow.stem.conv.weight
    )


def test_every_weight_that_does_not_fit_is_named(saved: Path, tmp_path: Path) -> None:
    bias, weight = "cls_head.fc_cls.bias", "cls_head.fc_cls.weight"
    changes = {bias: None, weight: torch.zeros(2, 7), "cls_head.extra": torch.zeros(1)}
    path = rewrite(saved, tmp_path / "odd.safetensors", changes)
    with pytest.raises(CheckpointError) as caught:
        load_recognizer(path)
    message = str(caught.value)
    assert str(path) in message
    assert f"missing {bias}" in message
    assert "unexpected cls_head.extra" in message
    assert f"{weight} has shape (2, 7), expected (2, 320)" in message


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        CheckpointError, match=r"nowhere\.safetensors: cannot be read \(No such file"
    ):
        load_recognizer(tmp_path / "nowhere.safetensors")


def test_a_truncated_file_is_named(saved: Path, tmp_path: Path) -> None:
    path = tmp_path / "half.safetensors"
    path.write_bytes(saved.read_bytes()[: saved.stat().st_size // 2])
    with pytest.raises(CheckpointError, match=r"half\.safetensors: not a whole weight file"):
        load_recognizer(path)


def test_a_foreign_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "theirs.safetensors"
    save_file({"weight": torch.zeros(1)}, path)
    with pytest.raises(CheckpointError, match=r"holds no SlowFast network.* called weight"):
        load_recognizer(path)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("architecture", '{"flow": true}', "no fields .*flow"),
        ("input_spec", "{", "does not fit this program"),
        (
            "format",
            "behaviour-stream recognizer 9",
            "its format is 'behaviour-stream recognizer 9'",
        ),
    ],
)
def test_a_description_of_another_version_is_named(
    key: str, value: str, message: str, saved: Path, tmp_path: Path
) -> None:
    path = tmp_path / "new.safetensors"
    with safe_open(saved, framework="pt") as file:
        metadata = file.metadata() | {key: value}
    save_file({"weight": torch.zeros(1)}, path, metadata)
    with pytest.raises(CheckpointError, match=message):
        load_recognizer(path)


def test_the_shipped_weights_are_small_and_know_their_labels() -> None:
    path = Path(__file__).parents[3] / "models" / "weights" / "slowfast_compact.safetensors"
    assert path.stat().st_size < 15e6
    spec = load_recognizer(path).input_spec
    assert spec.name == "slowfast_compact"
    assert {"stand", "walk", "fight", "nothing"} < set(spec.labels)


def test_thresholds_and_the_record_of_training_travel_with_the_weights(
    recognizer: Recognizer3D, tmp_path: Path
) -> None:
    model = copy.deepcopy(recognizer)
    plain, full = tmp_path / "plain.safetensors", tmp_path / "full.safetensors"
    save_recognizer(plain, model)
    assert read_weights(plain).metadata.keys() == {"format", "architecture", "input_spec"}
    walk = LabelDecision(start_threshold=0.7, end_threshold=0.4, temperature=2.0)
    model.default_decision = DefaultDecision(labels={"walk": walk})
    model.training_record = TrainingRecord(trained_on=("abc",))
    save_recognizer(full, model)
    loaded = load_recognizer(full)
    assert loaded.default_decision == model.default_decision
    assert loaded.training_record == model.training_record
    (tmp_path / "names.txt").write_text("stay\ngo\n")
    renamed = load_recognizer(full, labels=str(tmp_path / "names.txt"))
    assert renamed.default_decision is not None
    assert renamed.default_decision.labels == {"go": walk}
    assert load_recognizer(full, num_classes=3).default_decision is None  # a fresh classifier


def test_thresholds_that_cannot_work_name_the_file(
    recognizer: Recognizer3D, tmp_path: Path
) -> None:
    model = copy.deepcopy(recognizer)
    save_recognizer(tmp_path / "a.safetensors", model)
    file = read_weights(tmp_path / "a.safetensors")
    metadata = {**file.metadata, "decision": '{"labels": {"walk": {"temperature": -1}}}'}
    save_file(file.tensors, tmp_path / "b.safetensors", metadata)
    with pytest.raises(CheckpointError, match=r"b\.safetensors: .*walk: temperature must be"):
        load_recognizer(tmp_path / "b.safetensors")


def test_thresholds_are_written_into_a_file_whose_weights_stay(
    recognizer: Recognizer3D, tmp_path: Path
) -> None:
    source, target = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    save_recognizer(source, recognizer, half=True)
    walk = LabelDecision(start_threshold=0.7, end_threshold=0.4, temperature=2.0)
    decision = DefaultDecision(labels={"walk": walk}, chosen_at="2026-11-25", chosen_on=("a",))
    write_decision(source, target, decision)
    assert read_defaults(target) == (decision, None)
    assert read_defaults(source) == (None, None)
    assert content_identity(source) == content_identity(target)  # the same network
    before, after = read_weights(source), read_weights(target)
    assert all(torch.equal(after.tensors[key], one) for key, one in before.tensors.items())
    write_decision(target, target, DefaultDecision(labels={}))
    assert load_recognizer(target).default_decision == DefaultDecision(labels={})
