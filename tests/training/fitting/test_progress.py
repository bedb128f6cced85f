"""What is shown where there is no terminal."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from training.fitting.progress import TrainingProgress
from training.fitting.run_state import EpochRow, RunState
from training.fitting.trainer import StepResult
from training.fitting.validation import Validation


def test_every_epoch_is_a_line_with_loss_accuracy_and_time_left() -> None:
    out = StringIO()
    row = EpochRow(
        epoch=1,
        steps=4,
        learning_rate=1e-3,
        loss=0.5,
        top1=0.75,
        val_loss=0.4,
        val_top1=0.8,
        val_mean_class_accuracy=0.7,
        val_mean_average_precision=None,
    )
    with TrainingProgress(Console(file=out), epochs=3, steps_per_epoch=2, done=2) as progress:
        state = RunState("data", epoch=1, step=1, loss_sum=0.5, top1_sum=0.75)
        progress.step(state, StepResult(0.5, 0.75))
        progress.epoch(
            row, Validation(samples=9, loss=0.4, top1=0.8, top5=1.0, mean_class_accuracy=0.7)
        )
    (line,) = out.getvalue().splitlines()
    assert line.startswith("epoch 2/3: loss 0.500, top-1 0.750 | validation top-1 0.800")
    assert line.endswith("0:00 left")
