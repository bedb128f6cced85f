"""The progress of a long command, and numbers as people read them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

LINE_INTERVAL_S = 5.0


class ProgressPrinter:
    """Context manager that shows a bar on a terminal and a line every few seconds elsewhere.

    Args:
        console: where to show it; standard error, so that standard output stays free.
        interval_s: seconds between two lines where there is no terminal.
        quiet_start: print the first line after an interval only.
        now: monotonic clock, seconds.
    """

    def __init__(
        self,
        console: Console,
        interval_s: float = LINE_INTERVAL_S,
        *,
        quiet_start: bool = False,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console, self._interval_s, self._now = console, interval_s, now
        self._started = now()
        self._line_at = self._started if quiet_start else -math.inf
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            TimeRemainingColumn(compact=True),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bars.add_task("", total=None, visible=False, note="")

    def __enter__(self) -> ProgressPrinter:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def show(self, step: str, done: int, total: int) -> None:
        """Show a count; the end of a step is always printed.

        Args:
            step: what is being counted.
            done: how many of `total` are done.
            total: 0 if it is not known.
        """
        of_total = f" of {total}" if total else ""
        self.update(step, done, total, f"{step}: {done}{of_total}", always=done == total)

    def update(
        self,
        description: str,
        done: int,
        total: int,
        line: str,
        *,
        note: str | None = None,
        always: bool = False,
    ) -> None:
        """Move the bar, or print the line if the last one is old enough.

        Args:
            description: in front of the bar.
            done: how many of `total` are done.
            total: 0 if it is not known.
            line: what is printed where there is no terminal.
            note: behind the bar; None: the count.
            always: print the line even if the last one is recent.
        """
        if self._console.is_terminal:
            count = f"{done}/{total}" if total else str(done)
            self._bars.update(
                self._task,
                description=description,
                completed=done,
                total=total or None,
                note=count if note is None else note,
                visible=True,
            )
        elif always or self._now() - self._line_at >= self._interval_s:
            self.print(line)

    def print(self, line: str) -> None:
        """Print a line, above the bar where there is one."""
        self._line_at = self._now()
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def time_left(self, done: int, total: int) -> str:
        """Estimate the remaining time as minutes:seconds, from the speed since the start.

        Args:
            done: items done since this printer was made.
            total: items that were to be done then.
        """
        per_item_s = (self._now() - self._started) / max(1, done)
        minutes, seconds = divmod(round(per_item_s * (total - done)), 60)
        return f"{minutes}:{seconds:02d} left"


def percent(value: float | None) -> str:
    """Format a fraction as a percentage with one decimal; "-" for None and nan."""
    return "-" if value is None or math.isnan(value) else f"{100 * value:.1f} %"


def number(value: float | None) -> str:
    """Format a rate with three significant digits; "-" for None."""
    return "-" if value is None else f"{value:.3g}"


def seconds(value: float | None) -> str:
    """Format a duration in tenths of seconds; "-" for None."""
    return "-" if value is None else f"{value:.1f} s"
