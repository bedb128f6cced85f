"""`recognizer.weights` takes the name of a public checkpoint: here small ones, on loopback."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models import CheckpointError
from models.inference.scene_recognizer import SceneRecognizer
from models.public.names import PUBLIC_CHECKPOINTS
from models.slowfast.recognizer3d import Recognizer3D
from pipeline.components import build_components
from pipeline.config.schema import load_config
from pipeline.errors import ConfigError
from pipeline.recognizer_weights import (
    check_weights_name,
    load_named_recognizer,
    weights_file,
)
from testbed.file_server import ServedFile, http_server
from tests.conftest import REPOSITORY
from tests.models.published_files import MMACTION2, SLOWONLY, save, small_network
from training.fitting.starting_point import with_classes

AVA = "mmaction2/slowfast_r50_8x8_ava21"
KINETICS = "mmaction2/slowonly_r50_4x16"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def network(classes: int, **changes: object) -> Recognizer3D:
    model = small_network(**changes)
    labels = [f"x{index}" for index in range(classes)]
    return with_classes(model, model.input_spec, labels, dropout=0.0).eval()


def ava_network() -> Recognizer3D:
    return network(81, head="roi", spatial_strides=(1, 2, 2, 1), roi_resolution=8)


@contextmanager
def published(monkeypatch: pytest.MonkeyPatch, name: str, file: Path) -> Iterator[ServedFile]:
    """Serve a made file instead of the one at the official address."""
    content = file.read_bytes()
    served = ServedFile(content)
    with http_server(served.answer) as url:
        made = replace(
            PUBLIC_CHECKPOINTS[name],
            url=f"{url}/{file.name}",
            sha256=hashlib.sha256(content).hexdigest()[:8],
        )
        monkeypatch.setitem(PUBLIC_CHECKPOINTS, name, made)
        yield served


def test_the_configuration_of_ava_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    file = save(ava_network(), MMACTION2, tmp_path / "ava.pth")
    settings = ["detector.weights=builtin", "recognizer.backend=torch", "device=cpu"]
    config = load_config(REPOSITORY / "configs/ava.yaml", settings)
    assert config.recognizer.weights == AVA
    with published(monkeypatch, AVA, file) as served:
        components = build_components(config, REPOSITORY)
    assert len(served.ranges) == 1
    assert isinstance(components.recognizer, SceneRecognizer)
    spec = components.recognizer.spec
    assert (spec.name, spec.clip_len, spec.frame_interval) == ("slowfast_r50_8x8_ava", 32, 2)
    assert spec.multi_label
    assert spec.labels[12] == "stand"
    raised = set(components.policy.rules)
    assert {"fight/hit (a person)", "fall down", "lie/sleep"} <= raised
    assert not raised & {"stand", "walk", "sit", "watch (a person)", "class_0"}
    assert "decision" not in caplog.text  # no label of the file is unknown
    assert "does not name its" not in caplog.text


def test_clips_are_those_of_the_table_where_no_weight_shows_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = {"fast_depth": None, "alpha": 1, "beta_inv": 8, "fusion_kernel": 5}
    file = save(network(400, **changes), SLOWONLY, tmp_path / "k.pth")
    with published(monkeypatch, KINETICS, file):
        model = load_named_recognizer(KINETICS, REPOSITORY)
    spec = model.input_spec
    assert (spec.name, spec.clip_len, spec.frame_interval) == ("slowonly_r50_4x16", 4, 16)
    assert spec.labels[0] == "abseiling"


def test_a_file_of_another_kind_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = save(network(81), MMACTION2, tmp_path / "crop.pth")
    with (
        published(monkeypatch, AVA, file),
        pytest.raises(ConfigError, match=r"a network for recognizer\.mode=crop"),
    ):
        load_named_recognizer(AVA, REPOSITORY)


def test_nothing_of_a_fetched_file_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Harmful:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, ("echo harm",)

    torch.save({"state_dict": Harmful()}, tmp_path / "harmful.pth")
    with (
        published(monkeypatch, AVA, tmp_path / "harmful.pth"),
        pytest.raises(CheckpointError, match="system"),
    ):
        load_named_recognizer(AVA, REPOSITORY)
    assert "harm" not in capsys.readouterr().out


def test_a_file_of_that_path_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert weights_file(AVA, tmp_path) == home / f".cache/behaviour-stream/recognizers/{AVA}.pth"
    (tmp_path / "mmaction2").mkdir()
    mine = tmp_path / AVA
    torch.save({}, mine)
    assert weights_file(AVA, tmp_path).samefile(mine)


def test_names_are_checked_without_fetching(tmp_path: Path) -> None:
    check_weights_name(AVA, tmp_path)
    check_weights_name("models/weights/slowfast_compact.safetensors", REPOSITORY)
    with pytest.raises(ConfigError, match=r"there is no file .*ava22x.* did you mean .*ava22\?"):
        check_weights_name("mmaction2/slowfast_r50_8x8_ava22x", tmp_path)
    with pytest.raises(ConfigError, match=r"there is no file none\.pth$"):
        check_weights_name("none.pth", tmp_path)
