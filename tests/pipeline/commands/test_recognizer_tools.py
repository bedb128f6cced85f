"""The commands about recognizers: any file is converted, any network is described."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from models import load_recognizer
from models.checkpoints.checkpoint import save_recognizer
from models.checkpoints.naming_schemes import NAMING_SCHEMES
from models.slowfast.default_decision import DefaultDecision, LabelDecision
from models.slowfast.training_record import TrainingRecord
from run_pipeline import app
from tests.conftest import REPOSITORY
from tests.models.published_files import in_naming_scheme, small_network

CONFIGS = sorted((REPOSITORY / "configs" / "recognizer").glob("*.yaml"))


def run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == code, result.output
    return " ".join(result.output.split())


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A small network under PySlowFast's names."""
    path = tmp_path / "theirs.pyth"
    state = in_naming_scheme(small_network(lateral_norm=True), NAMING_SCHEMES[-1].marker)
    torch.save({"model_state": state}, path)
    return path


def test_a_converted_file_scores_like_its_source(
    foreign: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    labels, target = tmp_path / "names.txt", tmp_path / "sub" / "ours.safetensors"
    labels.write_text("run\nwalk\nsit\nstand\nfall\n")
    run("convert", str(foreign), str(target), "--labels", str(labels), "--set", "clip_len=16")
    assert "does not name its" not in caplog.text  # --labels does
    source, converted = load_recognizer(foreign), load_recognizer(target)
    assert converted.input_spec.labels == ("run", "walk", "sit", "stand", "fall")
    assert converted.input_spec.clip_len == 16
    assert converted.input_spec.mean == source.input_spec.mean
    clip = torch.randn(1, 3, 16, 32, 32)
    with torch.inference_mode():
        assert torch.equal(converted(clip), source(clip))


def test_another_alpha_changes_the_network_too(foreign: Path, tmp_path: Path) -> None:
    target = tmp_path / "ours.safetensors"
    run("convert", str(foreign), str(target), "--set", "alpha=8")
    model = load_recognizer(target)
    assert model.architecture.alpha == model.input_spec.alpha == 8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "alhpa=8"], "--set alhpa=8: expected FIELD=VALUE with a field of alpha,"),
        (["--set", "clip_len=30"], "clip_len 30 must be a multiple of alpha 4"),
        (["--labels", "nowhere.txt"], "nowhere.txt: neither a file of labels nor one of"),
    ],
)
def test_what_cannot_be_converted_is_explained_and_leaves_no_file(
    arguments: list[str], message: str, foreign: Path, tmp_path: Path
) -> None:
    target = tmp_path / "ours.safetensors"
    assert message in run("convert", str(foreign), str(target), *arguments, code=2)
    assert not target.exists()


def test_source_and_target_are_checked(foreign: Path, tmp_path: Path) -> None:
    output = run("convert", str(tmp_path / "no.pth"), str(tmp_path / "o.safetensors"), code=2)
    assert "no.pth: cannot be read" in output
    assert "name it so" in run("convert", str(foreign), str(tmp_path / "ours.pth"), code=2)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_recognizer_configuration_is_a_network(path: Path) -> None:
    described = json.loads(run("describe", str(path), "--json"))
    assert described["input_spec"]["name"] in path.stem
    assert described["parameters"] > 1e6


def test_the_ucf101_configuration_is_that_of_its_name() -> None:
    path = REPOSITORY / "configs" / "recognizer" / "slowfast_r50_4x16_ucf101.yaml"
    described = json.loads(run("describe", str(path), "--size", "256", "--json"))
    assert described["parameters"] == 33_790_093
    assert described["multiply_adds"] / 1e9 == pytest.approx(36.099, abs=1e-3)
    assert "multiply-adds" in described["convention"]


def test_a_configuration_that_does_not_fit_names_its_key(tmp_path: Path) -> None:
    text = CONFIGS[0].read_text()
    path = tmp_path / "mine.yaml"
    for change, message in (
        (("in_channels: ", "in_channels: 1"), "cls_head.in_channels: 1"),
        (("architecture: ", "architecture: my_"), "architecture: there is no my_"),
        (("num_classes", "num_clases"), "num_clases: unknown key"),
    ):
        path.write_text(text.replace(*change))
        assert message in run("describe", str(path), code=2)


def test_a_network_is_described_stage_by_stage() -> None:
    output = run("describe", "models/weights/slowfast_compact.safetensors")
    for word in ("slow res5", "fast stem", "laterals", "head", "Convention", "crop_size: 112"):
        assert word in output
    assert "there are slowfast_r50_4x16" in run("describe", "slowfast_r51", code=2)


def test_describe_shows_thresholds_and_what_the_network_was_trained_on(tmp_path: Path) -> None:
    path, kept = tmp_path / "mine.safetensors", tmp_path / "kept.safetensors"
    model = small_network()
    save_recognizer(path, model)
    printed = run("describe", str(path))
    assert "What it was trained on is not recorded" in printed
    assert "No thresholds in the weights: decision.start_threshold, or 0.6" in printed
    one = LabelDecision(
        start_threshold=0.7, end_threshold=0.45, temperature=1.5, chosen_for="at most 5 %"
    )
    label = model.input_spec.labels[0]
    model.default_decision = DefaultDecision(labels={label: one}, chosen_at="2026-11-25")
    model.training_record = TrainingRecord(trained_on=("a", "b"), chosen_on=("c",))
    save_recognizer(path, model)
    run("convert", str(path), str(kept))
    printed = run("describe", str(kept))
    assert "Trained on 2 videos, epoch chosen by 1" in printed
    assert f"{label}: start 0.7, end 0.45, temperature 1.5 (at most 5 %)" in printed
    document = json.loads(run("describe", str(kept), "--json"))
    assert document["decision"]["labels"][label]["start_threshold"] == 0.7
    assert document["trained_on"]["trained_on"] == ["a", "b"]
