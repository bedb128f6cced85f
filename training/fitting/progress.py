"""Shows how far a training run is: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from training.fitting.run_state import EpochRow, RunState
from training.fitting.trainer import StepResult
from training.fitting.validation import Validation

LINE_INTERVAL_S = 30.0


class TrainingProgress:
    """Context manager and `training_run.Reporter`.

    Args:
        console: where to show it.
        epochs: of the run.
        steps_per_epoch: of the run.
        done: steps that an earlier part of the run has done.
    """

    def __init__(self, console: Console, epochs: int, steps_per_epoch: int, done: int) -> None:
        self._console, self._epochs, self._steps = console, epochs, steps_per_epoch
        self._total, self._first, self._done = epochs * steps_per_epoch, done, done
        self._started = self._line_at = time.monotonic()
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[numbers]}"),
            TimeRemainingColumn(compact=True),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bars.add_task("training", total=self._total, completed=done, numbers="")

    def __enter__(self) -> TrainingProgress:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def step(self, state: RunState, result: StepResult) -> None:
        """See `Reporter.step`."""
        self._done += 1
        numbers = f"loss {state.loss_sum / state.step:.3f}"
        if result.top1 is not None:
            numbers += f", top-1 {state.top1_sum / state.step:.3f}"
        where = f"epoch {state.epoch + 1}/{self._epochs}"
        self._bars.update(self._task, completed=self._done, description=where, numbers=numbers)
        now = time.monotonic()
        if not self._console.is_terminal and now - self._line_at >= LINE_INTERVAL_S:
            self._line_at = now
            self._print(f"{where}, step {state.step}/{self._steps}: {numbers}, {self._left()}")

    def epoch(self, row: EpochRow, validation: Validation | None) -> None:
        """See `Reporter.epoch`."""
        self._line_at = time.monotonic()
        top1 = "" if row.top1 is None else f", top-1 {row.top1:.3f}"
        held_out = "" if validation is None else f" | validation {validation.describe()}"
        text = f"epoch {row.epoch + 1}/{self._epochs}: loss {row.loss:.3f}{top1}{held_out}"
        self._print(f"{text} | {self._left()}")

    def _print(self, text: str) -> None:
        self._console.print(text, highlight=False, soft_wrap=True)

    def _left(self) -> str:
        per_step_s = (time.monotonic() - self._started) / max(1, self._done - self._first)
        minutes, seconds = divmod(round(per_step_s * (self._total - self._done)), 60)
        return f"{minutes}:{seconds:02d} left"
