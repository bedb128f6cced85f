"""Show the progress of a training run: loss, accuracy and remaining time."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console

from training.console import ProgressPrinter
from training.fitting.run_state import EpochRow, RunState
from training.fitting.trainer import StepResult
from training.fitting.validation import Validation

LINE_INTERVAL_S = 30.0


class TrainingProgress:
    """Context manager and `epochs.Reporter`.

    Args:
        console: where to show it.
        epochs: of the run.
        steps_per_epoch: of the run.
        done: steps that an earlier part of the run has done.
    """

    def __init__(self, console: Console, epochs: int, steps_per_epoch: int, done: int) -> None:
        self._printer = ProgressPrinter(console, LINE_INTERVAL_S, quiet_start=True)
        self._epochs, self._steps_per_epoch = epochs, steps_per_epoch
        self._total, self._first, self._done = epochs * steps_per_epoch, done, done

    def __enter__(self) -> TrainingProgress:
        self._printer.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._printer.__exit__(kind, error, traceback)

    def step(self, state: RunState, result: StepResult) -> None:
        """See `Reporter.step`."""
        self._done += 1
        numbers = f"loss {state.loss_sum / state.step:.3f}"
        if result.top1 is not None:
            numbers += f", top-1 {state.top1_sum / state.step:.3f}"
        where = f"epoch {state.epoch + 1}/{self._epochs}"
        line = f"{where}, step {state.step}/{self._steps_per_epoch}: {numbers}, {self._left()}"
        self._printer.update(where, self._done, self._total, line, note=numbers)

    def epoch(self, row: EpochRow, validation: Validation | None) -> None:
        """See `Reporter.epoch`."""
        top1 = "" if row.top1 is None else f", top-1 {row.top1:.3f}"
        held_out = "" if validation is None else f" | validation {validation.describe()}"
        text = f"epoch {row.epoch + 1}/{self._epochs}: loss {row.loss:.3f}{top1}{held_out}"
        self._printer.print(f"{text} | {self._left()}")

    def _left(self) -> str:
        return self._printer.time_left(self._done - self._first, self._total - self._first)
