"""How far a long command is: bars on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable

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
