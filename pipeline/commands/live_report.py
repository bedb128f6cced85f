"""Report a live run to who started it: actions and camera states as they come, a table at the end.

The stages never wait for a terminal: the sink collects lines, the supervisor prints them.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TextIO

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipeline.commands.event_text import format_event
from pipeline.events import ActionEvent, AlarmEvent, CameraEvent, Event, EvidenceEvent
from pipeline.printable import printable
from pipeline.types import DecidedEnd, DecidedFrame

_MAX_LINES = 1000  # that wait for a terminal that takes none; the oldest are dropped


@dataclass(slots=True)
class _CameraReport:
    frames: int = 0  # processed
    actions: Counter[str] = field(default_factory=Counter)  # started, by name
    alarms: Counter[str] = field(default_factory=Counter)  # started, by rule
    down_since: float | None = None
    down_s: float = 0.0


class LiveReport:
    """A sink that reports starts and ends of actions, and cameras that come up and go down.

    Args:
        camera_ids: the cameras of the run.
        out: where lines are printed; None: nowhere.
        monotonic: seconds on a clock that is never set back.
    """

    def __init__(
        self, camera_ids: Sequence[str], out: TextIO | None, monotonic: Callable[[], float]
    ) -> None:
        self._out, self._monotonic = out, monotonic
        self._waiting: deque[str] = deque(maxlen=_MAX_LINES)
        self._cameras = {name: _CameraReport() for name in camera_ids}

    def start(self) -> None:
        """Count the time without each camera from now on: models are loaded, cameras opened."""
        for camera in self._cameras.values():
            camera.down_since = self._monotonic()

    def write(self, item: DecidedFrame | DecidedEnd) -> None:
        """Count an item and keep the lines of its events."""
        camera = self._cameras.setdefault(item.camera_id, _CameraReport())
        if isinstance(item, DecidedFrame):
            camera.frames += 1
            if camera.down_since is not None:
                camera.down_s += self._monotonic() - camera.down_since
                camera.down_since = None
        elif camera.down_since is None and item.end.at is not None:  # it is awaited again
            camera.down_since = self._monotonic()
        for event in item.events:
            if isinstance(event, ActionEvent) and event.kind == "start":
                camera.actions[event.action] += 1
            elif isinstance(event, AlarmEvent) and event.phase == "start":
                camera.alarms[event.rule] += 1
            if _is_printed(event):
                self._waiting.append(format_event(event))

    def close(self) -> None:
        """Do nothing: the numbers stay readable."""

    def print_waiting(self) -> None:
        """Print the lines of the events since the last call; a closed pipe ends only the lines."""
        while self._waiting and self._out is not None:
            try:
                print(self._waiting.popleft(), file=self._out, flush=True)
            except (OSError, ValueError):
                with suppress(OSError):  # else Python reports it again when the program ends
                    self._out.close()
                self._out = None

    def print_summary(self, console: Console) -> None:
        """Print a table with one row per camera."""
        table = Table("camera", "frames", "actions", "of these", "alarms", "down")
        now = self._monotonic()
        for name, camera in self._cameras.items():
            down_s = camera.down_s + (0.0 if camera.down_since is None else now - camera.down_since)
            table.add_row(
                escape(printable(name)),
                str(camera.frames),
                str(camera.actions.total()),
                _by_name(camera.actions),
                _by_name(camera.alarms),
                _duration(down_s),
            )
        with suppress(OSError, SystemExit):  # rich exits at a broken pipe
            console.print(table)


def _by_name(counts: Counter[str]) -> str:
    text = ", ".join(f"{name} {count}" for name, count in counts.most_common())
    return escape(printable(text)) or "-"


def _is_printed(event: Event) -> bool:
    if isinstance(event, CameraEvent):
        return event.reason != "stopped"  # every camera, at the end of the run
    return not event.is_update and not isinstance(event, EvidenceEvent)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
