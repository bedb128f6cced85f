"""An evaluation reads the register before it and adds itself to it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from models.checkpoints.checkpoint import save_recognizer
from models.slowfast.default_decision import DefaultDecision
from models.slowfast.training_record import TrainingRecord
from pipeline.config.schema import load_config
from tests.training.commands.test_evaluate_request import DEFAULTS
from tests.training.factories import tiny_model
from training.commands.evaluate_request import EvaluateRequest
from training.commands.registered_evaluation import RegisteredEvaluation
from training.evaluation.clip_results import ClipScore
from training.evaluation.clips import evaluate_clips
from training.labels.fingerprints import video_fingerprint
from training.labels.samples import Sample
from training.metrics.label_mapping import map_labels
from training.register import DataHistory, Register
from training.report.write import Results


def looked_at(folder: Path, record: TrainingRecord | None, chosen_on: str = "") -> DataHistory:
    """Evaluate a made clip once with weights that keep this record."""
    model = tiny_model()
    model.training_record = record
    if chosen_on:
        model.default_decision = DefaultDecision(
            labels={}, chosen_at="2026-11-24T00:00:00Z", chosen_on=(chosen_on,)
        )
    save_recognizer(folder / "model.safetensors", model)
    video = folder / "a.mp4"
    video.write_text("a video")
    score = ClipScore(Sample(video, ("walk",)), np.array([[0.2, 0.8]], np.float32), 1, 1, None)
    mapping = map_labels([("walk",)], ("stand", "walk"), (), {})
    clips = evaluate_clips([score], mapping, model_multi_label=False, seed=0)
    options = {"data": folder / "labels.csv", "register": folder / "register.jsonl"}
    request = EvaluateRequest(**DEFAULTS | options)
    config = load_config(None, [f"recognizer.weights={folder / 'model.safetensors'}"])
    registered = RegisteredEvaluation(request, config, folder)
    [history] = registered.finish(Results(clips, None, None, None, None, None, ()))
    return history


def test_the_first_look_is_said_and_the_second_one_too(tmp_path: Path) -> None:
    assert looked_at(tmp_path, TrainingRecord()).sentences() == [
        "this data is looked at for the first time"
    ]
    assert looked_at(tmp_path, TrainingRecord()).looks == 1
    first, second = Register(tmp_path / "register.jsonl").read()
    assert (first.purpose, first.clips, first.groups) == ("looked at", 1, 1)
    assert first.numbers["top1"] == 1.0
    assert first.weights == second.weights
    assert first.videos == (video_fingerprint(tmp_path / "a.mp4"),)


def test_what_trained_the_weights_or_chose_their_thresholds_is_not_held_out(
    tmp_path: Path,
) -> None:
    (tmp_path / "a.mp4").write_text("a video")
    video = video_fingerprint(tmp_path / "a.mp4")
    assert video is not None
    assert looked_at(tmp_path, TrainingRecord(trained_on=(video,))).trained == 1
    chose = looked_at(tmp_path, TrainingRecord(), chosen_on=video)
    assert chose.chose_thresholds == "2026-11-24T00:00:00Z"
    assert chose.held_out is False
    assert looked_at(tmp_path, None).held_out is None
