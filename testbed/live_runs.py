"""A live run in a thread of this process, with stand-ins for the models."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Self

from pipeline.app import live
from pipeline.camera_settings import CameraSettings
from pipeline.components import Components
from pipeline.config.schema import load_config
from pipeline.events import ActionEvent, CameraEvent, Event
from pipeline.live.camera_source import CameraSource
from pipeline.live.supervisor import Operator
from pipeline.outputs.sinks import ClosingSink
from pipeline.runtime.shutdown import Shutdown
from pipeline.stages.decisions import EventStamp
from pipeline.telemetry.run_status import RunStatus
from pipeline.telemetry.snapshots import CameraSnapshot, Snapshot
from pipeline.telemetry.systemd import SystemdNotifier
from pipeline.types import DecidedEnd, DecidedFrame

STAMP = EventStamp("run", "brightness", wall_clock=True)
QUICK = (
    "live.open_timeout_s=4",
    "live.read_timeout_s=2",
    "live.reconnect_first_s=0.2",
    "live.reconnect_longest_s=1",
    "live.report_interval_s=1",
)


class Kept(ClosingSink):
    """A sink that keeps every item in memory."""

    def __init__(self) -> None:
        self.items: list[DecidedFrame | DecidedEnd] = []

    def write(self, item: DecidedFrame | DecidedEnd) -> None:
        """Append the item."""
        self.items.append(item)


class LiveRun:
    """Run `app.live` in a thread; a context manager that stops the run and re-raises its error."""

    def __init__(
        self, cameras: Sequence[CameraSource], components: Components, settings: Sequence[str] = ()
    ) -> None:
        self.cameras, self.reload_requested = tuple(cameras), threading.Event()
        self.status, self.shutdown, self.kept = RunStatus(), Shutdown(), Kept()
        self.lines: list[str] = []
        self.error: BaseException | None = None
        config = load_config(None, [*QUICK, "live.detect_fps=null", *settings])
        self.settings = CameraSettings(config, components.known, components.policy)
        operator = Operator(
            print_line=self.lines.append,
            report_interval_s=config.live.report_interval_s,
            load_cameras=lambda: self.cameras,
            reload_requested=self.reload_requested,
            systemd=SystemdNotifier(None),
        )

        def run() -> None:
            try:
                for _ in live(
                    self.cameras, components, config, STAMP, [self.kept],
                    self.status, operator, self.shutdown, self.settings,
                ):  # fmt: skip
                    pass
            except BaseException as error:
                self.error = error

        self._thread = threading.Thread(target=run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self.stop()
        if kind is None and self.error is not None:
            raise self.error

    def stop(self) -> float:
        """Request the end and wait for it; return how many seconds it took."""
        asked_at = time.monotonic()
        self.shutdown.request()
        self._thread.join()
        return time.monotonic() - asked_at

    def join(self, timeout_s: float) -> None:
        """Wait for a run that ends by itself."""
        self._thread.join(timeout_s)
        assert not self._thread.is_alive()

    @property
    def events(self) -> list[Event]:
        """The events of all cameras so far."""
        return [event for item in list(self.kept.items) for event in item.events]

    def actions(self, camera_id: str) -> list[ActionEvent]:
        """Return the action events of one camera."""
        return [e for e in self.events if isinstance(e, ActionEvent) and e.camera_id == camera_id]

    def states(self, camera_id: str) -> list[CameraEvent]:
        """Return the camera events of one camera."""
        return [e for e in self.events if isinstance(e, CameraEvent) and e.camera_id == camera_id]

    def snapshot(self) -> Snapshot:
        """Return its state as it is now."""
        return self.status.snapshot()

    def camera(self, camera_id: str) -> CameraSnapshot:
        """Return the current snapshot of one camera."""
        return next(one for one in self.snapshot().cameras if one.camera_id == camera_id)

    def detected(self, camera_id: str) -> int:
        """Return how many frames of a camera were processed."""
        cameras = {one.camera_id: one.frames_detected for one in self.snapshot().cameras}
        return cameras.get(camera_id, 0)

    def wait_until(self, holds: Callable[[], bool], timeout_s: float = 30.0) -> None:
        """Wait until a condition holds; fail after `timeout_s` or when the run has ended."""
        deadline = time.monotonic() + timeout_s
        while not holds():
            assert time.monotonic() < deadline, self.status.snapshot()
            assert self._thread.is_alive(), self.error
            time.sleep(0.02)
