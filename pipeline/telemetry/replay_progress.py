"""Show the progress of a replay: bars on a terminal, lines elsewhere, a table at the end."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.progress import TimeRemainingColumn as TimeLeft
from rich.table import Table

from pipeline.events import ActionEvent
from pipeline.sources.file_decoder import VideoInfo
from pipeline.types import DecidedEnd, DecidedFrame

LINE_INTERVAL_S = 5.0


@dataclass(slots=True)
class CameraStatistics:
    """What was counted of one camera."""

    frames: int = 0
    expected_frames: int = 0  # 0: unknown
    pts_s: float = 0.0  # media time reached
    people: set[int] = field(default_factory=set)  # track ids seen
    actions: Counter[str] = field(default_factory=Counter)  # actions started, by name
    events: int = 0  # of actions
    unscored: int = 0  # clips whose scores were not finite
    ended: bool = False
    stopped: bool = False  # before its end, by a shutdown
    error: str | None = None


@dataclass(slots=True)
class ReplayStatistics:
    """What was counted of all cameras, in the order in which they appeared; a sink."""

    cameras: dict[str, CameraStatistics] = field(default_factory=dict)

    def expect(self, camera_id: str, info: VideoInfo) -> None:
        """Add the number of frames that a camera's next file is expected to have."""
        expected = info.frames or round(info.duration_s * info.fps)
        self._camera(camera_id).expected_frames += expected

    def write(self, item: DecidedFrame | DecidedEnd) -> None:
        """Count an item."""
        camera = self._camera(item.camera_id)
        if isinstance(item, DecidedEnd):
            camera.ended, camera.stopped = True, item.end.reason == "stopped"
            camera.error = item.end.error
        else:
            frame = item.tracked.frame
            camera.frames += 1
            camera.pts_s = frame.pts_s
            camera.unscored += item.unscored
            camera.people.update(person.track_id for person in item.tracked.people)
        actions = [event for event in item.events if isinstance(event, ActionEvent)]
        camera.events += len(actions)
        camera.actions.update(event.action for event in actions if event.kind == "start")

    def close(self) -> None:
        """Do nothing: the numbers stay readable."""

    @property
    def frames(self) -> int:
        """Processed frames of all cameras."""
        return sum(camera.frames for camera in self.cameras.values())

    @property
    def errors(self) -> list[str]:
        """One text per camera that failed, with the path of its file."""
        return [camera.error for camera in self.cameras.values() if camera.error]

    def _camera(self, camera_id: str) -> CameraStatistics:
        return self.cameras.setdefault(camera_id, CameraStatistics())


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

    def print_summary(self) -> None:
        """Print a table with one row per camera."""
        table = Table("camera", "frames", "media", "people", "events", "actions", "result")
        for camera_id, camera in self.statistics.cameras.items():
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
        return f"{self._rate():.1f} fps in all, {len(camera.people)} people, {camera.events} events"

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
