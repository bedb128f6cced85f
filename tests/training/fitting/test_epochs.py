"""Epochs: validation, the best weights, early stopping, and resuming."""

from __future__ import annotations

import csv
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from models.slowfast.recognizer3d import Recognizer3D
from tests.training.factories import cached, float32_fabric, tiny_model
from training.crops.crop_cache import CachedTrack
from training.fitting import epochs
from training.fitting.augmentation import ViewSpec
from training.fitting.clip_dataset import ClipDataset, MirrorRule
from training.fitting.epoch_loader import EpochDraw, EpochLoader, EpochSampler
from training.fitting.epochs import EpochLoop, Plan, best_model
from training.fitting.optimization import LearningRateSchedule
from training.fitting.run_state import BEST, LOG, STATE, EpochRow, RunState
from training.fitting.trainer import StepResult, Trainer, TrainerSpec
from training.fitting.validation import Validation

PLAN = Plan(
    epochs=3, steps_per_epoch=2, accumulate=2, clips_per_step=4, patience=None, save_every_s=1e9
)


class Recorder:
    """A `Reporter` that can ask for the end after some steps."""

    def __init__(self, stop: threading.Event, stop_after: int | None = None) -> None:
        self.steps: list[StepResult] = []
        self.rows: list[EpochRow] = []
        self._stop, self._stop_after = stop, stop_after

    def step(self, state: RunState, result: StepResult) -> None:
        self.steps.append(result)
        if len(self.steps) == self._stop_after:
            self._stop.set()

    def epoch(self, row: EpochRow, validation: Validation | None) -> None:
        self.rows.append(row)


class Started:
    """A run on two made people."""

    def __init__(
        self,
        folder: Path,
        *,
        plan: Plan = PLAN,
        stop_after: int | None = None,
        held_out: list[CachedTrack] | None = None,
    ) -> None:
        self.output = folder
        tracks = [cached(folder / "cache", "stand", 20), cached(folder / "cache", "walk", 200)]
        model = tiny_model()
        self.trainer = Trainer(
            float32_fabric(), model, TrainerSpec(schedule=LearningRateSchedule(steps=plan.steps))
        )
        clips = ClipDataset(
            tracks,
            model.input_spec,
            views=ViewSpec(shift=0.1),
            speed=0.1,
            mirror=MirrorRule(flip=True),
            seed=0,
        )
        draw = EpochDraw(tracks, model.input_spec.labels, "class", 0)
        sampler = EpochSampler(draw, plan.steps_per_epoch * plan.clips_per_step)
        self.stop = threading.Event()
        self.recorder = Recorder(self.stop, stop_after)
        self.loop = EpochLoop(
            float32_fabric(),
            self.trainer,
            EpochLoader(clips, sampler, batch_size=2, workers=0),
            tracks if held_out is None else held_out,
            plan,
            folder,
            self.recorder,
        )

    def go(self, state: RunState) -> bool:
        return self.loop.run(state, self.stop)

    def resume(self) -> RunState:
        state, kept = RunState.load(self.output)
        self.trainer.restore(kept)
        return state

    def weights(self) -> dict[str, Tensor]:
        return best_model(tiny_model(), self.output).state_dict()


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / LOG).open() as file:
        return list(csv.DictReader(file))


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return all(torch.equal(value, second[name]) for name, value in first.items())


def test_a_run_logs_every_epoch_and_keeps_the_best_weights(tmp_path: Path) -> None:
    started = Started(tmp_path)
    assert started.go(RunState("data"))
    rows = rows_of(tmp_path)
    assert [row["epoch"] for row in rows] == ["0", "1", "2"]
    assert [row["steps"] for row in rows] == ["2", "4", "6"]
    assert all(row["val_loss"] and row["top1"] for row in rows)
    state, _ = RunState.load(tmp_path)
    assert state.finished
    assert state.rows == started.recorder.rows


@pytest.mark.parametrize("stop_after", [1, 2, 5])
def test_a_stopped_run_ends_with_the_same_bits_as_an_uninterrupted_one(
    tmp_path: Path, stop_after: int
) -> None:
    """Stopped within an epoch, and between two."""
    straight = Started(tmp_path / "straight")
    straight.go(RunState("data"))
    stopped = Started(tmp_path / "stopped", stop_after=stop_after)
    assert not stopped.go(RunState("data"))
    resumed = Started(tmp_path / "stopped")
    assert resumed.go(resumed.resume())
    assert same(straight.weights(), resumed.weights())
    assert rows_of(tmp_path / "stopped") == rows_of(tmp_path / "straight")
    assert stopped.recorder.steps + resumed.recorder.steps == straight.recorder.steps


def test_long_epochs_are_saved_on_the_way(tmp_path: Path) -> None:
    started = Started(tmp_path, plan=replace(PLAN, save_every_s=0.0), stop_after=None)
    saved: list[int] = []
    save = RunState.save

    def note(state: RunState, output: Path, trainer: dict[str, object]) -> None:
        saved.append(state.step)
        save(state, output, trainer)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunState, "save", note)
        started.go(RunState("data"))
    assert saved == [1, 2, 0] * 3


def qualities(
    monkeypatch: pytest.MonkeyPatch, *reported: float, losses: Sequence[float] = ()
) -> None:
    """What validation reports for the epochs, in order."""
    accuracies, each_loss = iter(reported), iter(losses)

    def validate(model: Recognizer3D, held_out: object, device: str) -> Validation:
        loss = next(each_loss, 1.0)
        return Validation(samples=1, loss=loss, top1=0.0, mean_class_accuracy=next(accuracies))

    monkeypatch.setattr(epochs, "validate", validate)


def test_training_ends_early_and_the_best_epoch_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    qualities(monkeypatch, 0.5, 0.7, 0.6, 0.7, 0.9)
    started = Started(tmp_path, plan=replace(PLAN, epochs=5, patience=2))
    kept: list[dict[str, Tensor]] = []
    epoch = started.recorder.epoch

    def remember(row: EpochRow, validation: Validation | None) -> None:
        epoch(row, validation)
        kept.append({k: v.clone() for k, v in started.trainer.averaged().state_dict().items()})

    started.recorder.epoch = remember  # type: ignore[method-assign]
    assert started.go(RunState("data"))
    assert len(started.recorder.rows) == 4  # 0.9 is never reached
    state, _ = RunState.load(tmp_path)
    assert state.best_epoch == 1
    assert same(started.weights(), kept[1])


def test_training_continues_while_the_loss_of_validation_falls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    qualities(monkeypatch, 0.5, 0.3, 0.3, 0.4, 0.4, losses=(1.8, 1.7, 1.6, 1.9, 1.9))
    started = Started(tmp_path, plan=replace(PLAN, epochs=9, patience=2))
    assert started.go(RunState("data"))
    state, _ = RunState.load(tmp_path)
    assert (state.epoch, state.best_epoch) == (5, 0)


def test_without_validation_the_last_weights_are_kept(tmp_path: Path) -> None:
    started = Started(tmp_path, held_out=[])
    assert started.go(RunState("data"))
    assert same(started.weights(), started.trainer.averaged().state_dict())
    assert rows_of(tmp_path)[0]["val_loss"] == ""


def test_what_is_saved_is_whole_or_not_there(tmp_path: Path) -> None:
    started = Started(tmp_path)
    started.go(RunState("data"))
    assert {path.name for path in tmp_path.iterdir()} == {"cache", STATE, BEST, LOG}
