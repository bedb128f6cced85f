"""A camera reader in a thread, and the items that it produced."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from pipeline.live.camera_process import CameraProcess
from pipeline.live.camera_reader import CameraReader
from pipeline.live.camera_source import CameraSource, parse_source
from pipeline.telemetry.run_status import RunStatus
from pipeline.telemetry.snapshots import CameraSnapshot
from pipeline.types import Frame, StreamEnd


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Short time limits, seconds."""

    open_timeout_s: float = 4.0
    read_timeout_s: float = 2.0
    max_staleness_s: float = 0.5
    max_gap_s: float = 0.5
    max_pixels: int = 36_000_000
    snapshot_fps: float = 10.0
    reconnect_first_s: float = 0.2
    reconnect_longest_s: float = 1.0


TIMEOUTS = Timeouts()


class WatchedCamera:
    """Read one camera in a thread; a context manager that stops the reader.

    Args:
        source: a camera, or the URL of one.
        timeouts: time limits.
        process: the process that decodes it.
    """

    def __init__(
        self,
        source: CameraSource | str,
        timeouts: Timeouts = TIMEOUTS,
        process: CameraProcess | None = None,
    ) -> None:
        if isinstance(source, str):
            source = parse_source(source, "cam")
        self.status = RunStatus()
        self.status.add_camera("cam")
        self.process = process or CameraProcess()
        self._stop = threading.Event()
        self._reader = CameraReader(
            source,
            timeouts,
            timeouts.max_gap_s,
            self.status,
            self._stop,
            process=self.process,
        )
        self._items: list[tuple[float, Frame | StreamEnd]] = []
        self._changed = threading.Condition(threading.RLock())
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.stop()
        if self._error is not None and error is None:
            raise self._error

    def stop(self) -> float:
        """End the reader; return how many seconds that took."""
        asked_at = time.monotonic()
        self._stop.set()
        self._thread.join()
        return time.monotonic() - asked_at

    @property
    def frames(self) -> list[Frame]:
        """The frames that arrived, oldest first."""
        return [item for _, item in self._copy() if isinstance(item, Frame)]

    @property
    def ends(self) -> list[StreamEnd]:
        """The outages, and the end once there is one."""
        return [item for _, item in self._copy() if isinstance(item, StreamEnd)]

    @property
    def camera(self) -> CameraSnapshot:
        """The current snapshot of the camera."""
        return self.status.snapshot().cameras[0]

    def wait_for_frames(self, count: int, timeout_s: float = 60.0) -> float:
        """Wait for `count` more frames; return after how many seconds the first of them arrived."""
        asked_at, before = time.time(), len(self.frames)
        self.wait_until(lambda: len(self.frames) >= before + count, timeout_s)
        return next(
            at - asked_at for at, item in self._copy() if isinstance(item, Frame) and at >= asked_at
        )

    def wait_for_end(self, reason: str, timeout_s: float = 60.0) -> StreamEnd:
        """Wait until the newest outage has this reason."""
        self.wait_until(lambda: bool(self.ends) and self.ends[-1].reason == reason, timeout_s)
        return self.ends[-1]

    def wait_until(self, holds: Callable[[], bool], timeout_s: float = 60.0) -> None:
        """Wait until a condition on the items or the status holds; fail after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while not holds():
                left_s = deadline - time.monotonic()
                assert left_s > 0, f"{self.camera} {self.ends}"
                assert self._error is None, self._error
                self._changed.wait(min(left_s, 0.05))

    def _copy(self) -> list[tuple[float, Frame | StreamEnd]]:
        with self._changed:
            return list(self._items)

    def _run(self) -> None:
        try:
            for item in self._reader.frames():
                with self._changed:
                    self._items.append((time.time(), item))
                    self._changed.notify_all()
        except BaseException as error:
            self._error = error
