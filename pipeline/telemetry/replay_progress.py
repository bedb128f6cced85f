"""Shows how far a replay is: bars on a terminal, plain lines elsewhere, a table at the end."""

from __future__ import annotations

import threading
from collections.abc import Callable

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.progress import TimeRemainingColumn as TimeLeft
from rich.table import Table

from pipeline.sources.file_decoder import VideoInfo
from pipeline.telemetry.tally import CameraStatistics, ReplayStatistics
from pipeline.types import DecidedEnd, DecidedFrame

LINE_INTERVAL_S = 5.0


class ReplayProgress:
    """Context manager around a replay.

    Args:
        console: where to show it; standard error, so that standard output stays free.
        now: seconds on any growing clock.
    """

    def __init__(self, console: Console, now: Callable[[], float]) -> None:
        self.tally = ReplayStatistics()
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
        self._bars.stop()

    def opened(self, camera_id: str, info: VideoInfo) -> None:
        """A file was opened; called from its reader's thread."""
        with self._lock:
            self.tally.expect(camera_id, info)
            total = self.tally.cameras[camera_id].expected_frames or None
            self._tasks[camera_id] = self._bars.add_task(escape(camera_id), total=total, numbers="")

    def advance(self, item: DecidedFrame | DecidedEnd) -> None:
        """One more item is through."""
        with self._lock:
            self.tally.count(item)
        camera_id, camera = item.camera_id, self.tally.cameras[item.camera_id]
        if self._console.is_terminal:
            self._show_bar(camera_id, camera)
        elif camera.ended or self._now() - self._line_at >= LINE_INTERVAL_S:
            self._line_at = self._now()
            self._print_line(camera_id, camera)
        if camera.error:
            text = f"[red]error:[/red] {escape(camera.error)}"
            self._console.print(text, highlight=False, soft_wrap=True)

    def print_summary(self) -> None:
        """A table with one row per camera."""
        table = Table("camera", "frames", "media", "people", "events", "actions", "result")
        for camera_id, camera in self.tally.cameras.items():
            actions = ", ".join(f"{name} {n}" for name, n in camera.actions.most_common())
            complete = camera.ended and not camera.stopped
            result = "failed" if camera.error else "complete" if complete else "stopped"
            table.add_row(
                escape(camera_id),
                str(camera.frames),
                f"{camera.pts_s:.1f} s",
                str(len(camera.people)),
                str(camera.events),
                escape(actions) or "-",
                result,
            )
        self._console.print(table)
        self._console.print(
            f"{self.tally.frames} frames in {self._elapsed_s():.1f} s, "
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
        return f"{self._rate():.1f} fps in all, {len(camera.people)} people, {camera.events} events"

    def _left(self, camera: CameraStatistics) -> str:
        if camera.ended:
            return ", done"
        missing = sum(max(c.expected_frames - c.frames, 0) for c in self.tally.cameras.values())
        rate = self._rate()
        return f", {missing / rate:.0f} s left" if missing and rate else ""

    def _elapsed_s(self) -> float:
        return max(self._now() - self._started, 1e-9)

    def _rate(self) -> float:
        """Frames per second of all files together, since the start."""
        return self.tally.frames / self._elapsed_s()
