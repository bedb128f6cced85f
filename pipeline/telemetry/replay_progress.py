"""Show the progress of a replay: bars on a terminal, lines elsewhere, a table at the end."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.progress import TimeRemainingColumn as TimeLeft
from rich.table import Table

from pipeline.printable import printable
from pipeline.sources.file_decoder import VideoInfo
from pipeline.telemetry.replay_statistics import CameraStatistics, ReplayStatistics
from pipeline.telemetry.silence import RunLimits, explain_silence
from pipeline.types import DecidedEnd, DecidedFrame

LINE_INTERVAL_S = 5.0


class ReplayProgress:
    """Context manager and sink: shows the items of a replay as they are processed.

    Args:
        console: where to show it; standard error, so that standard output stays free.
        now: seconds on a clock that is never set back.
    """

    def __init__(self, console: Console, now: Callable[[], float]) -> None:
        self.statistics = ReplayStatistics()
        self._console = console
        self._now = now
        self._started = self._line_at = now()
        self._lock = threading.Lock()  # `opened` comes from the readers' threads
        self._tasks: dict[str, TaskID] = {}
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[numbers]}"),
            TimeLeft(compact=True),
            console=console,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> ReplayProgress:
        self._bars.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the bars; a second call does nothing."""
        self._bars.stop()

    def opened(self, camera_id: str, info: VideoInfo) -> None:
        """Show a file that was opened; called from its reader's thread."""
        with self._lock:
            self.statistics.expect(camera_id, info)
            total = self.statistics.cameras[camera_id].expected_frames or None
            if camera_id in self._tasks:  # its next piece
                self._bars.update(self._tasks[camera_id], total=total)
            else:
                task = self._bars.add_task(escape(camera_id), total=total, numbers="")
                self._tasks[camera_id] = task

    def write(self, item: DecidedFrame | DecidedEnd) -> None:
        """Count an item and show the progress."""
        with self._lock:
            self.statistics.write(item)
        camera_id, camera = item.camera_id, self.statistics.cameras[item.camera_id]
        if self._console.is_terminal:
            self._show_bar(camera_id, camera)
        elif camera.ended or self._now() - self._line_at >= LINE_INTERVAL_S:
            self._line_at = self._now()
            self._print_line(camera_id, camera)
        if camera.error:
            text = f"[red]error:[/red] {escape(camera.error)}"
            self._console.print(text, highlight=False, soft_wrap=True)

    def print_summary(self, limits: RunLimits, *, alarms: bool = False) -> None:
        """Print a table with one row per camera, and why a camera had no action.

        Args:
            limits: what a person had to fulfil.
            alarms: there are rules, so the table has a column of alarms.
        """
        columns = ["camera", "frames", "media", "people", "actions", "of these"]
        table = Table(*columns, *(["alarms"] if alarms else []), "result")
        for camera_id, camera in self.statistics.cameras.items():
            complete = camera.ended and not camera.stopped
            result = "failed" if camera.error else "complete" if complete else "stopped"
            table.add_row(
                escape(camera_id),
                str(camera.frames),
                f"{camera.pts_s:.1f} s",
                str(len(camera.people)),
                str(camera.actions.total()),
                _by_name(camera.actions),
                *([_by_name(camera.alarms)] if alarms else []),
                result,
            )
        self._console.print(table)
        for camera_id, camera in self.statistics.cameras.items():
            if why := explain_silence(camera, limits):
                text = f"[yellow]no action in {escape(camera_id)}[/yellow]: {escape(why)}"
                self._console.print(text, highlight=False, soft_wrap=True)
        unscored = sum(camera.unscored for camera in self.statistics.cameras.values())
        if unscored:
            self._console.print(
                f"[red]{unscored} clips have scores that are not finite numbers[/red]: nothing was "
                "decided on them; other weights are needed",
                highlight=False,
                soft_wrap=True,
            )
        self._console.print(
            f"{self.statistics.frames} frames in {self._elapsed_s():.1f} s, "
            f"{self._rate():.1f} frames per second"
        )

    def _show_bar(self, camera_id: str, camera: CameraStatistics) -> None:
        task = self._tasks.get(camera_id)
        if task is not None:
            self._bars.update(task, completed=camera.frames, numbers=self._numbers(camera))

    def _print_line(self, camera_id: str, camera: CameraStatistics) -> None:
        of_expected = f" of {camera.expected_frames}" if camera.expected_frames else ""
        left = self._left(camera)
        self._console.print(
            f"{camera_id}: {camera.frames}{of_expected} frames, {self._numbers(camera)}{left}",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )

    def _numbers(self, camera: CameraStatistics) -> str:
        return (
            f"{self._rate():.1f} fps in all, {len(camera.people)} people, "
            f"{camera.actions.total()} actions"
        )

    def _left(self, camera: CameraStatistics) -> str:
        if camera.ended:
            return ", done"
        cameras = self.statistics.cameras.values()
        missing = sum(max(one.expected_frames - one.frames, 0) for one in cameras)
        rate = self._rate()
        return f", {missing / rate:.0f} s left" if missing and rate else ""

    def _elapsed_s(self) -> float:
        return max(self._now() - self._started, 1e-9)

    def _rate(self) -> float:
        """Frames per second of all files together, since the start."""
        return self.statistics.frames / self._elapsed_s()


def _by_name(counts: Counter[str]) -> str:
    """Return the counts as one cell of a table, the highest first."""
    text = ", ".join(f"{name} {count}" for name, count in counts.most_common())
    return escape(printable(text)) or "-"
