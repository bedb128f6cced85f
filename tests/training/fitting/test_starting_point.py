"""Where a run starts from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models.checkpoints.checkpoint import load_recognizer, save_recognizer
from models.checkpoints.naming_schemes import NAMING_SCHEMES
from models.slowfast.heads import SlowFastHead
from models.slowfast.recognizer3d import Recognizer3D
from pipeline.config.network import load_model_config
from pipeline.errors import ConfigError
from tests.conftest import REPOSITORY
from tests.models.published_files import in_naming_scheme, small_network
from tests.training.factories import float32_fabric, tiny_model
from training.config import load_train_config
from training.fitting.optimization import LearningRateSchedule, OptimizerSpec
from training.fitting.starting_point import (
    build_architecture,
    build_starting_point,
    fit_input,
    load_checkpoint,
    with_classes,
)
from training.fitting.trainer import Trainer, TrainerSpec

MMACTION2 = NAMING_SCHEMES[0].marker


def fitted(model: Recognizer3D, *labels: str, multi_label: bool = False) -> Recognizer3D:
    spec = fit_input(model.input_spec, {"crop_size": 32}, name="mine", multi_label=multi_label)
    return with_classes(model, spec, labels, dropout=0.2)


def test_other_classes_get_a_fresh_classifier_on_the_same_backbone() -> None:
    model = tiny_model("a", "b", "c")
    torch.nn.init.ones_(model.cls_head.fc_cls.weight)
    new = fitted(model, "a", "b", "d")  # as many, but others
    assert new.input_spec.labels == ("a", "b", "d")
    assert float(new.cls_head.fc_cls.weight.detach().std()) == pytest.approx(0.01, rel=0.2)
    name = "slow.stem.conv.weight"
    assert torch.equal(new.backbone.state_dict()[name], model.backbone.state_dict()[name])


def test_labels_of_groups_are_those_of_the_network_or_of_the_configuration() -> None:
    model = tiny_model("walk", "fight", "hug")
    with_groups = replace(model.input_spec, group_labels=("fight", "hug"))
    kept = with_classes(model, with_groups, ["fight", "walk"], dropout=0.2)
    assert kept.input_spec.group_labels == ("fight",)
    given = with_classes(model, with_groups, ["fight", "hug"], dropout=0.2, group_labels=["hug"])
    assert given.input_spec.group_labels == ("hug",)
    with pytest.raises(ConfigError, match=r"data\.group_labels: there is no label push"):
        with_classes(model, with_groups, ["fight"], dropout=0.2, group_labels=["push"])


def test_the_same_classes_keep_what_the_classifier_knows() -> None:
    model = tiny_model("a", "b")
    new = fitted(model, "a", "b")
    assert torch.equal(new.cls_head.fc_cls.weight, model.cls_head.fc_cls.weight)


def test_several_labels_and_another_input_travel_with_the_network() -> None:
    new = fitted(tiny_model(), "a", "b", multi_label=True)
    assert new.cls_head.multi_label
    assert (new.input_spec.crop_size, new.input_spec.name) == (32, "mine")


def test_an_input_that_cannot_work_names_its_key() -> None:
    with pytest.raises(ConfigError, match="input: clip_len 9"):
        fit_input(tiny_model().input_spec, {"clip_len": 9}, name="mine", multi_label=False)


def test_architectures_are_known_by_name_and_by_file() -> None:
    path = REPOSITORY / "configs/recognizer/slowfast_compact.yaml"
    by_file = build_architecture(str(path), load_model_config(path))
    by_name = build_architecture("slowfast_compact")
    assert by_file.architecture == by_name.architecture
    with pytest.raises(ConfigError, match=r"model\.architecture: there is no slowfast_r51; there"):
        build_architecture("slowfast_r51")


CONFIG = """
architecture: slowfast_compact
num_classes: 3
multi_label: false
cls_head:
  in_channels: 320
  num_classes: 3
  spatial_type: max
  dropout_ratio: 0.7
"""


def started(tmp_path: Path, text: str, *labels: str, **model: object) -> Recognizer3D:
    (tmp_path / "net.yaml").write_text(text)
    settings = [f"model.architecture={tmp_path}/net.yaml", "input.crop_size=32"]
    config = load_train_config(None, settings + [f"model.{k}={v}" for k, v in model.items()])
    return build_starting_point(config, labels, multi_label=False, name="mine", project=REPOSITORY)


def test_all_keys_of_a_network_file_are_honoured(tmp_path: Path) -> None:
    model = started(tmp_path, CONFIG, "a", "b", "c")
    assert model.cls_head.dropout.p == 0.7
    assert isinstance(model.cls_head, SlowFastHead)
    assert model.cls_head.spatial_type == model.architecture.spatial_type == "max"
    assert started(tmp_path, CONFIG, "a", "b", "c", dropout=0.1).cls_head.dropout.p == 0.1
    save_recognizer(tmp_path / "a.safetensors", model)
    loaded = load_recognizer(tmp_path / "a.safetensors")
    assert isinstance(loaded.cls_head, SlowFastHead)
    assert loaded.cls_head.spatial_type == "max"


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("in_channels: 320", "in_channels: 2304", "cls_head.in_channels: 2304, but .* gives 320"),
        ("spatial_type: max", "spatial_type: median", "cls_head.spatial_type"),
        ("spatial_type: max", "spatial_typ: max", "cls_head.spatial_typ: unknown key"),
        ("  num_classes: 3", "  num_classes: 4", "cls_head.num_classes: 4, but num_classes is 3"),
        ("multi_label: false", "multi_label: true", "multi_label is true in .* one label each"),
        ("architecture: slowfast_compact", "architecture: slow", "architecture: there is no slow"),
        ("dropout_ratio: 0.7", "dropout_ratio: 1.5", "cls_head.dropout_ratio"),
    ],
)
def test_a_network_file_that_contradicts_something_is_an_error(
    old: str, new: str, complaint: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        started(tmp_path, CONFIG.replace(old, new, 1), "a", "b", "c")


def test_other_classes_than_the_data_has_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"num_classes is 3 in .*, but the data has 2 labels \(a"):
        started(tmp_path, CONFIG, "a", "b")


def test_networks_for_boxes_in_scenes_are_refused(tmp_path: Path) -> None:
    roi = small_network(head="roi", spatial_strides=(1, 2, 2, 1), roi_resolution=8)
    save_recognizer(tmp_path / "ava.safetensors", roi)
    with pytest.raises(ConfigError, match="RoI head"):
        load_checkpoint(tmp_path / "ava.safetensors")


def test_a_checkpoint_that_is_not_there_names_the_key(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"model\.weights: .*none\.pth"):
        load_checkpoint(tmp_path / "none.pth")


def test_a_checkpoint_of_mmaction2_is_tuned_with_frozen_stages_and_rates_per_part(
    tmp_path: Path,
) -> None:
    published = small_network()
    torch.save({"state_dict": in_naming_scheme(published, MMACTION2)}, tmp_path / "kinetics.pth")
    model = fitted(load_checkpoint(tmp_path / "kinetics.pth"), "walk", "run", "fall")
    model.input_spec = replace(model.input_spec, crop_size=32)
    model.cls_head.dropout.p = 0.0
    before = {name: value.clone() for name, value in model.state_dict().items()}
    spec = TrainerSpec(
        schedule=LearningRateSchedule(steps=4, warm_up_fraction=0.0),
        optimizer=OptimizerSpec(
            name="sgd", learning_rate=1e-3, backbone_lr_ratio=0.1, momentum=0.0
        ),
        frozen_stages=3,
        norm_eval=True,
    )
    trainer = Trainer(float32_fabric(), model, spec)
    generator = torch.Generator().manual_seed(0)
    crops = torch.randint(0, 256, (3, 16, 32, 32, 3), generator=generator, dtype=torch.uint8)
    losses = [trainer.step([(crops, torch.arange(3))]).loss for _ in range(4)]
    assert losses[-1] < losses[0]
    after = trainer.model.state_dict()
    changed = {name for name, value in after.items() if not torch.equal(value, before[name])}
    trained = ("res5", "cls_head", "laterals.0")  # the last as in mmaction2
    assert changed
    assert not [name for name in changed if not any(part in name for part in trained)]
    original = published.state_dict()["backbone.slow.res3.0.conv1.conv.weight"]
    assert torch.equal(after["backbone.slow.res3.0.conv1.conv.weight"], original)
