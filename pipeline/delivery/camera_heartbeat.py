"""The heartbeat of each camera: whether it is up, so that no events means no actions."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pipeline.time_text import format_utc
from pipeline.types import DecidedEnd, DecidedFrame

UP_TTL_S = 10.0  # seconds; the state of a killed run expires
DOWN_TTL_S = 86_400.0


@dataclass(slots=True)
class CameraPresence:
    """Whether one camera is up, and its frames since the last heartbeat."""

    up: bool
    since: float  # Unix seconds
    frames: int = 0  # since the last heartbeat
    last_frame_at: float = 0.0  # Unix seconds of its capture
    counted_since: float = 0.0
    reported: bool = False  # as down, which is reported once
    reason: str = ""  # why it is down


class CameraHeartbeat:
    """Counts the frames at the end of the pipeline; one thread records, another collects.

    Args:
        run_id: of this run.
        now: clock, Unix seconds.
        drops: returns the dropped frames of a camera; None where every frame is processed.
    """

    def __init__(
        self,
        run_id: str,
        now: Callable[[], float] = time.time,
        drops: Callable[[str], int] | None = None,
    ) -> None:
        self._run_id, self._now, self._drops = run_id, now, drops
        self._cameras: dict[str, CameraPresence] = {}
        self._lock = threading.Lock()

    def record(self, item: DecidedFrame | DecidedEnd) -> None:
        """Count a frame, or mark a camera that ended as down."""
        now = self._now()
        with self._lock:
            camera = self._cameras.get(item.camera_id)
            if isinstance(item, DecidedEnd):
                self._cameras[item.camera_id] = CameraPresence(
                    up=False, since=now, reason=item.end.reason
                )
                return
            if camera is None or not camera.up:
                camera = self._cameras[item.camera_id] = CameraPresence(
                    up=True, since=now, counted_since=now
                )
            camera.frames += 1
            camera.last_frame_at = item.tracked.frame.captured_at

    def collect(self) -> Iterator[tuple[str, dict[str, str], float]]:
        """Yield camera id, fields and time to live in seconds, and start the next interval.

        A camera that is down is reported once.
        """
        now = self._now()
        with self._lock:
            reports = [
                (
                    camera_id,
                    self._fields(camera_id, camera, now),
                    UP_TTL_S if camera.up else DOWN_TTL_S,
                )
                for camera_id, camera in self._cameras.items()
                if not camera.reported
            ]
            for camera in self._cameras.values():
                camera.frames, camera.counted_since, camera.reported = 0, now, not camera.up
        yield from reports

    def _fields(self, camera_id: str, camera: CameraPresence, now: float) -> dict[str, str]:
        fields = {
            "state": "up" if camera.up else "down",
            "since": format_utc(camera.since),
            "run_id": self._run_id,
        }
        if self._drops is not None:
            fields["drops"] = str(self._drops(camera_id))
        if not camera.up:
            fields["reason"] = camera.reason
        else:
            elapsed = max(now - camera.counted_since, 1e-3)
            fields |= {
                "fps": f"{camera.frames / elapsed:.1f}",
                "last_frame": format_utc(camera.last_frame_at),
            }
        return fields
