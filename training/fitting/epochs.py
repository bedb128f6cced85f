"""The epochs of a run: steps, validation, the best weights, and an end without loss."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol

import torch
from lightning_fabric import Fabric

from models.inference.action_recognizer import ActionRecognizer
from models.slowfast.recognizer3d import Recognizer3D
from training.crops.crop_cache import CachedTrack
from training.fitting.clip_dataset import Batch
from training.fitting.epoch_loader import EpochLoader
from training.fitting.run_state import BEST, LOG, EpochRow, RunState, write_log, write_tensors
from training.fitting.trainer import StepResult, Trainer
from training.fitting.validation import Validation, measure, score_samples

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How long a run is."""

    epochs: int
    steps_per_epoch: int
    accumulate: int  # batches of a step
    clips_per_step: int  # over all processes
    patience: int | None  # epochs without a better validation
    save_every_s: float

    @property
    def steps(self) -> int:
        """Optimisation steps of the whole run."""
        return self.epochs * self.steps_per_epoch


class Reporter(Protocol):
    """Shows the progress of a run."""

    def step(self, state: RunState, result: StepResult) -> None:
        """Report one more step."""
        ...

    def epoch(self, row: EpochRow, validation: Validation | None) -> None:
        """Report one more epoch."""
        ...


class EpochLoop:
    """Run the epochs that are left.

    Args:
        fabric: of all processes.
        trainer: new, or restored together with `state`.
        clips: to train on.
        held_out: tracks of the validation; none: the last weights are kept.
        plan: how long.
        output: folder of the state, the log and the best weights.
        reporter: shows the progress.
    """

    def __init__(
        self,
        fabric: Fabric,
        trainer: Trainer,
        clips: EpochLoader,
        held_out: Sequence[CachedTrack],
        plan: Plan,
        output: Path,
        reporter: Reporter,
    ) -> None:
        self._fabric, self._trainer, self._plan, self._output = fabric, trainer, plan, output
        self._clips, self._held_out, self._reporter = clips, held_out, reporter
        self._saved_at = time.monotonic()

    def run(self, state: RunState, stop: threading.Event) -> bool:
        """Train until the end, or until asked to stop.

        Args:
            state: new, or of an earlier part of the run.
            stop: ends it after the step under way; the state is saved.

        Returns:
            True if the run is complete, False if it was stopped and can be resumed.
        """
        while not state.finished:
            if not self._epoch(state, stop):
                self._save(state)
                return False
            self._close_epoch(state)
        return True

    def _epoch(self, state: RunState, stop: threading.Event) -> bool:
        """Do the remaining steps of an epoch; False if asked to stop."""
        for batches in self._steps(state):
            result = self._trainer.step(batches)
            state.step += 1
            state.loss_sum += result.loss
            state.top1_sum += result.top1 or 0.0
            self._reporter.step(state, result)
            if stop.is_set():
                return False
            if time.monotonic() - self._saved_at > self._plan.save_every_s:
                self._save(state)
        return True

    def _steps(self, state: RunState) -> Iterator[list[Batch]]:
        plan = self._plan
        batches = self._clips.batches(state.epoch, state.step * plan.clips_per_step)
        for _ in range(state.step, plan.steps_per_epoch):
            yield list(islice(batches, plan.accumulate))

    def _close_epoch(self, state: RunState) -> None:
        """Validate, log, keep the best weights, and mark the last epoch."""
        validation = self._validate()
        state.rows.append(self._row(state, validation))
        self._reporter.epoch(state.rows[-1], validation)
        self._remember_best(state, validation)
        waited = state.epoch - state.improved_epoch
        if self._plan.patience is not None and waited >= self._plan.patience:
            log.info("no better validation for %d epochs: training ends early", waited)
            state.finished = True
        state.epoch, state.step = state.epoch + 1, 0
        state.loss_sum = state.top1_sum = 0.0
        state.finished |= state.epoch == self._plan.epochs
        self._save(state)
        if self._fabric.is_global_zero:
            write_log(self._output / LOG, state.rows)

    def _remember_best(self, state: RunState, validation: Validation | None) -> None:
        """Keep the weights if they are the best so far; without validation, the newest."""
        if validation is None or state.best is None or validation.quality > state.best:
            state.best = validation.quality if validation else None
            state.best_epoch = state.improved_epoch = state.epoch
            if self._fabric.is_global_zero:
                write_tensors(self._output / BEST, self._trainer.averaged().state_dict())
        if validation and (state.least_loss is None or validation.loss < state.least_loss):
            # Accuracy varies by chance while the network still gains confidence.
            state.least_loss, state.improved_epoch = validation.loss, state.epoch

    def _validate(self) -> Validation | None:
        """Validate in the first process and broadcast the result."""
        validation = None
        if self._held_out and self._fabric.is_global_zero:
            model = self._trainer.averaged()
            validation = validate(model, self._held_out, str(self._fabric.device))
        return self._fabric.broadcast(validation)

    def _row(self, state: RunState, validation: Validation | None) -> EpochRow:
        spec = self._trainer.model.input_spec
        return EpochRow(
            epoch=state.epoch,
            steps=self._trainer.steps,
            learning_rate=self._trainer.learning_rate,
            loss=state.loss_sum / state.step,
            top1=None if spec.multi_label else state.top1_sum / state.step,
            val_loss=validation.loss if validation else None,
            val_top1=validation.top1 if validation else None,
            val_mean_class_accuracy=validation.mean_class_accuracy if validation else None,
            val_mean_average_precision=validation.mean_average_precision if validation else None,
        )

    def _save(self, state: RunState) -> None:
        """Save in the first process alone, without a barrier: other clocks may differ."""
        if self._fabric.is_global_zero:
            state.save(self._output, self._trainer.state())
        self._saved_at = time.monotonic()


def validate(model: Recognizer3D, held_out: Sequence[CachedTrack], device: str) -> Validation:
    """Score the held-out samples with PyTorch, as the pipeline would."""
    recognizer = ActionRecognizer(model, device=device, backend="torch")
    found = score_samples(recognizer, held_out)
    spec = model.input_spec
    return measure(found, spec.labels, multi_label=spec.multi_label)


def best_model(trainer_model: Recognizer3D, output: Path) -> Recognizer3D:
    """Load the weights of the best epoch into the network, on the CPU."""
    state = torch.load(output / BEST, map_location="cpu", weights_only=True)
    trainer_model.load_state_dict(state)
    return trainer_model.cpu().eval()
