"""How each camera is at the moment, for those who want to tell silence from blindness."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pipeline.time_text import format_utc
from pipeline.types import DecidedEnd, DecidedFrame

UP_TTL_S = 10.0  # a camera whose process died is not said to be up for longer
DOWN_TTL_S = 86_400.0


@dataclass(slots=True)
class CameraPresence:
    """Whether one camera is up, and its frames since the last heartbeat."""

    up: bool
    since: float  # Unix seconds
    frames: int = 0  # since the last look
    last_frame_at: float = 0.0  # when it was captured
    looked_at: float = 0.0
    told: bool = False  # that it is down
    reason: str = ""  # why it is down


class CameraHeartbeat:
    """Counts the frames at the end of the pipeline; one thread writes, another takes.

    Args:
        run_id: of this run.
        now: Unix seconds.
        drops: frames of a camera that were left out so far; None where all are looked at.
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
        """A frame came through, or a camera has ended."""
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
                    up=True, since=now, looked_at=now
                )
            camera.frames += 1
            camera.last_frame_at = item.tracked.frame.captured_at

    def collect(self) -> Iterator[tuple[str, dict[str, str], float]]:
        """Camera id, fields and how long they hold, of all that there is something to say of."""
        now = self._now()
        with self._lock:
            said = [
                (
                    camera_id,
                    self._fields(camera_id, camera, now),
                    UP_TTL_S if camera.up else DOWN_TTL_S,
                )
                for camera_id, camera in self._cameras.items()
                if not camera.told
            ]
            for camera in self._cameras.values():
                camera.frames, camera.looked_at, camera.told = 0, now, not camera.up
        yield from said

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
            elapsed = max(now - camera.looked_at, 1e-3)
            fields |= {
                "fps": f"{camera.frames / elapsed:.1f}",
                "last_frame": format_utc(camera.last_frame_at),
            }
        return fields
