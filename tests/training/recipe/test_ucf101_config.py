"""The recipe of UCF101, run for two steps on a UCF101 that is made here."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from models.checkpoints.checkpoint import load_recognizer
from models.checkpoints.label_sets import read_label_set
from tests.conftest import REPOSITORY
from tests.training.factories import write_scene
from training.config import load_train_config
from training.fitting.starting_point import build_starting_point
from training.fitting.train import TrainRequest, train

RECIPE = REPOSITORY / "configs" / "train" / "ucf101.yaml"
LABELS = read_label_set("ucf101", 101)
GROUPS = {"ApplyEyeMakeup": (8, 1), "Archery": (8,), "HandstandPushups": (8, 1)}


@pytest.fixture(scope="module")
def ucf101(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders and lists as they are unpacked, with videos of three of its classes."""
    folder = tmp_path_factory.mktemp("ucf101")
    lists = folder / "ucfTrainTestlist"
    lists.mkdir()
    (lists / "classInd.txt").write_text(
        "".join(f"{number} {name}\r\n" for number, name in enumerate(LABELS, 1))
    )
    train_lines, test_lines = [], []
    for number, name in enumerate(LABELS, 1):
        for group in GROUPS.get(name, ()):
            file = name.replace("HandstandPushups", "HandStandPushups")  # as in the real one
            video = f"{name}/v_{file}_g{group:02}_c01.avi"
            made = folder / "UCF-101" / video
            write_scene(made, level=number, seconds=0.4, wh=(48, 48), step=group % 4)
            if group == 8:
                train_lines.append(f"{video} {number}\r\n")
            else:
                test_lines.append(f"{video}\r\n")
    (lists / "trainlist01.txt").write_text("".join(train_lines))
    (lists / "testlist01.txt").write_text("".join(test_lines))
    return folder


def test_the_recipe_is_that_of_the_papers() -> None:
    config = load_train_config(RECIPE, [])
    loop, optimizer = config.loop, config.optimizer
    assert loop.epochs == 256
    assert loop.batch_size * loop.accumulate * loop.devices == 64
    assert (optimizer.name, optimizer.learning_rate, optimizer.momentum) == ("sgd", 0.1, 0.9)
    assert config.schedule.name == "cosine"
    assert config.schedule.warm_up_share * loop.epochs == 34
    assert (config.test.views, config.test.crops) == (10, 3)
    assert (config.input.clip_len, config.input.frame_interval) == (32, 2)


def test_its_network_goes_with_the_labels() -> None:
    config = load_train_config(RECIPE, [])
    model = build_starting_point(
        config, sorted(LABELS), multi_label=False, name="ucf101", project=REPOSITORY
    )
    assert model.cls_head.dropout.p == 0.5
    assert (model.input_spec.crop_size, len(model.input_spec.labels)) == (224, 101)
    assert model.architecture.slow_depth == 50


SMALLER = """
architecture: slowfast_compact
num_classes: 3
multi_label: false
cls_head: {in_channels: 320, num_classes: 3, spatial_type: avg, dropout_ratio: 0.5}
"""


@pytest.mark.timeout(300)
def test_the_recipe_trains_and_tests_ucf101(ucf101: Path, tmp_path: Path) -> None:
    """Everything but the network, which takes minutes on a busy CPU."""
    (tmp_path / "smaller.yaml").write_text(SMALLER)
    small = {
        "model.architecture": tmp_path / "smaller.yaml",
        "data.cache": tmp_path / "cache",
        "device": "cpu",
        "input.crop_size": 32,
        "loop.epochs": 1,
        "loop.batch_size": 2,
        "loop.accumulate": 1,
        "loop.workers": 0,
        "sampling.clips_per_epoch": 4,
    }
    config = load_train_config(RECIPE, [f"{key}={value}" for key, value in small.items()])
    lists = ucf101 / "ucfTrainTestlist"
    request = TrainRequest(
        (lists / "trainlist01.txt", lists / "testlist01.txt"),
        tmp_path / "run",
        None,
        ucf101 / "UCF-101",
        False,
        "train",
    )
    assert train(request, config, REPOSITORY, Console(file=StringIO()))
    model = load_recognizer(tmp_path / "run" / "model.safetensors")
    assert set(model.input_spec.labels) == set(GROUPS)
    assert model.input_spec.name == "slowfast_r50_4x16_ucf101"
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["splits"].keys() == {"test"}
    clips = report["splits"]["test"]["clips"]
    assert [clip["truth"] for clip in clips] == [["ApplyEyeMakeup"], ["HandstandPushups"]]
    assert np.isfinite([clip["scores"] for clip in clips]).all()
