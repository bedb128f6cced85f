"""`evaluate --folds` on made videos: trained, stopped, continued, and its result."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from models.checkpoints.checkpoint import load_recognizer, save_recognizer
from models.slowfast.training_record import TrainingRecord, continued_record
from pipeline.config.schema import PipelineConfig, load_config
from pipeline.errors import ConfigError
from tests.training.factories import tiny_model, write_scene
from training.commands import cross_validation
from training.commands.cross_validation import check_start, cross_validate
from training.commands.evaluate_request import EvaluateRequest, FoldsRequest
from training.config import TrainConfig, load_train_config
from training.crops.training_data import LabelledData
from training.fitting.run_state import MODEL
from training.fitting.train import TrainRequest
from training.labels.fingerprints import fingerprints_of, video_fingerprint
from training.labels.samples import Sample
from training.report.json_document import folds_document, to_json

CONFIG = ["detector.weights=builtin", "device=cpu", "recognizer.backend=torch"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Eight videos of four groups with a box each, and weights that have seen nothing."""
    rows = []
    for number in range(8):
        label, step = ("stand", 0) if number % 2 else ("walk", 4)
        write_scene(tmp_path / f"{number}.mp4", level=40 + 20 * number, step=step, seconds=2.2)
        rows.append([f"{number}.mp4", label, "0,0,96,64", number // 2])
    with (tmp_path / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["path", "label", "box", "group"], *rows])
    start(tmp_path, TrainingRecord())
    return tmp_path


def start(folder: Path, record: TrainingRecord | None) -> None:
    model = tiny_model("a", "b")
    model.training_record = record
    save_recognizer(folder / "start.safetensors", model)


def training(folder: Path, *settings: str) -> TrainConfig:
    chosen = [
        f"model.weights={folder / 'start.safetensors'}", "loop.epochs=1", "loop.batch_size=2",
        "sampling.clips_per_epoch=2", "data.val_share=0", "loop.threads=1", *settings,
    ]  # fmt: skip
    return load_train_config(None, chosen)


def request_of(folder: Path, folds: FoldsRequest) -> EvaluateRequest:
    return EvaluateRequest(
        data=folder / "labels.csv", events=None, everyday=None, tracking=None, video=None,
        detection=None, label_file=None, through_pipeline=False, whole_frame=None,
        split=None, aliases={}, actions=(), iou=0.5, false_alarms_per_hour=None, seed=0,
        cache=folder / "cache",
        json_file=None, report=None, rules_file=None, command="evaluate", folds=folds,
    )  # fmt: skip


def config() -> PipelineConfig:
    return load_config(None, CONFIG)


def test_a_stopped_cross_validation_continues_and_judges_every_clip_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = FoldsRequest(2, training(folder), (), folder / "folds")
    request, console = request_of(folder, asked), Console(quiet=True)
    runs: list[Path] = []

    def trained(data: LabelledData, run: TrainRequest, *rest: object) -> bool:
        runs.append(run.output)
        if len(runs) == 2:
            return False  # as after Ctrl-C
        model = tiny_model(*data.labels)
        seen = fingerprints_of(one for one in data.samples if one.split == "train")
        model.training_record = continued_record(TrainingRecord(), seen, frozenset())
        save_recognizer(run.output / MODEL, model)
        return True

    monkeypatch.setattr(cross_validation, "train_on", trained)
    with pytest.raises(KeyboardInterrupt):
        cross_validate(request, asked, config(), folder, console)
    result = cross_validate(request, asked, config(), folder, console)
    assert [run.name[:11] for run in runs] == ["fold-1-of-2", "fold-2-of-2", "fold-2-of-2"]
    assert sorted(score.sample.path.stem for score in result.pooled.scores) == list("01234567")
    assert [(fold.clips, fold.groups, fold.trained_on) for fold in result.folds] == [(4, 2, 4)] * 2
    assert result.pooled.value("area_under_curve") is not None
    assert result.warnings == ()
    assert len(json.loads(to_json(folds_document(result)))["folds"]) == 2
    for run, judged in zip((runs[0], runs[2]), ((0, 4), (4, 8)), strict=True):
        record = load_recognizer(run / MODEL).training_record
        assert record is not None
        tested = {one.sample.path for one in result.pooled.scores[slice(*judged)]}
        assert {video_fingerprint(path) for path in tested}.isdisjoint(record.seen)
        assert len(record.trained_on) == 4

    monkeypatch.setattr(cross_validation.EvaluatedModel, "score_clips", None)  # nor scored again
    again = cross_validate(request, asked, config(), folder, console)
    assert len(runs) == 3
    assert again.pooled.value("top1") == result.pooled.value("top1")

    other = replace(asked, training=training(folder, "loss.label_smoothing=0"))
    with pytest.raises(TypeError):  # scored: trained again, in another folder
        cross_validate(request, other, config(), folder, console)
    assert len(runs) == 4
    assert runs[3] != runs[0]


def test_weights_that_have_seen_the_data_are_refused(folder: Path) -> None:
    samples = [Sample(folder / f"{n}.mp4", ("walk",), group=str(n // 2)) for n in range(8)]
    seen = video_fingerprint(folder / "3.mp4")
    assert seen is not None
    start(folder, TrainingRecord(chosen_on=(seen,)))
    with pytest.raises(ConfigError, match="trained on videos of 1 of the 4 groups"):
        check_start(training(folder), samples, folder)
    scratch = training(folder, "model.architecture=slowfast_compact")
    assert check_start(scratch, samples, folder) == []


def test_weights_without_a_record_are_warned_of(folder: Path) -> None:
    for record in (None, TrainingRecord(complete=False)):
        start(folder, record)
        [warning] = check_start(training(folder), [], folder)
        assert "does not record all that it was trained on" in warning


def test_people_are_found_as_the_evaluation_finds_them(folder: Path) -> None:
    asked = FoldsRequest(2, training(folder, "tracker.max_age=7"), (), folder / "folds")
    with pytest.raises(ConfigError, match="--train-config: tracker differs from that"):
        cross_validate(request_of(folder, asked), asked, config(), folder, Console(quiet=True))
