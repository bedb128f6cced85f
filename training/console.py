"""How far a long command is: bars on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

LINE_INTERVAL_S = 5.0


class CommandProgress:
    """Context manager around the steps of a command.

    Args:
        console: where to show it; standard error, so that standard output stays free.
        now: seconds on any growing clock.
    """

    def __init__(self, console: Console, now: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._now = now
        self._line_at = -LINE_INTERVAL_S
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(compact=True),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = None if not console.is_terminal else self._bars.add_task("", visible=False)

    def __enter__(self) -> CommandProgress:
        self._bars.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bars.stop()

    def show(self, step: str, done: int, total: int) -> None:
        """Say how far a step is; its end is always said.

        Args:
            step: what is being done.
            done: how many of `total` are done.
            total: 0 if it is not known.
        """
        if self._task is not None:
            self._bars.update(
                self._task, description=step, completed=done, total=total or None, visible=True
            )
        elif done == total or self._now() - self._line_at >= LINE_INTERVAL_S:
            self._line_at = self._now()
            of_total = f" of {total}" if total else ""
            self._console.print(
                f"{step}: {done}{of_total}", markup=False, highlight=False, soft_wrap=True
            )


def percent(value: float | None) -> str:
    """Three digits of a share."""
    return "-" if value is None or math.isnan(value) else f"{100 * value:.1f} %"


def number(value: float | None) -> str:
    """Enough digits of a rate."""
    return "-" if value is None else f"{value:.3g}"


def seconds(value: float | None) -> str:
    """Tenths of seconds."""
    return "-" if value is None else f"{value:.1f} s"


class PreparationProgress:
    """Context manager; `advanced` shows how many videos are cut.

    Args:
        console: where to show it.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started = self._line_at = time.monotonic()
        self._bars = Progress(
            TextColumn("cutting people out of videos"),
            BarColumn(),
            TextColumn("{task.completed}/{task.total}"),
            TimeRemainingColumn(compact=True),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bars.add_task("", total=None)

    def __enter__(self) -> PreparationProgress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def advanced(self, done: int, total: int) -> None:
        """Of the videos that are not in the cache."""
        if not total:
            return
        self._bars.start()
        self._bars.update(self._task, completed=done, total=total)
        now = time.monotonic()
        due = done in (0, total) or now - self._line_at >= LINE_INTERVAL_S
        if due and not self._console.is_terminal:
            self._line_at = now
            left_s = (now - self._started) / max(done, 1) * (total - done)
            left = f", {left_s / 60:.1f} minutes left" if 0 < done < total else ""
            self._console.print(f"people cut out of {done} of {total} videos{left}", soft_wrap=True)
