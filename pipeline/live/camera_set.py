"""The running cameras; some may be added, changed and removed while the others run."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pipeline.live.camera_source import CameraSource
from pipeline.telemetry.run_status import RunStatus

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Running:
    source: CameraSource
    stop: threading.Event
    thread: threading.Thread


class CameraSet:
    """Run one reader per camera; for one thread at a time.

    Args:
        start: starts the reader of a camera, which ends when the event is set.
        status: has counters for every running camera.
        ended: called by `stop`; no further camera is started after it.
    """

    def __init__(
        self,
        start: Callable[[CameraSource, threading.Event], threading.Thread],
        status: RunStatus,
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        self._start, self._status, self._ended = start, status, ended
        self._running: dict[str, _Running] = {}

    def update(self, sources: Iterable[CameraSource]) -> None:
        """Start the new cameras, end the missing and changed ones, and leave equal ones alone."""
        wanted = {source.camera_id: source for source in sources}
        gone = [one for name, one in self._running.items() if one.source != wanted.get(name)]
        for one in gone:  # all of them first, so that they end concurrently
            one.stop.set()
        for one in gone:
            name = one.source.camera_id
            one.thread.join()
            del self._running[name]
            if name not in wanted:
                self._status.remove_camera(name)
        for name, source in wanted.items():
            if name not in self._running:
                log.info("camera %s: %s", name, source.shown)
                self._status.add_camera(name)
                stop = threading.Event()
                self._running[name] = _Running(source, stop, self._start(source, stop))

    def stop(self) -> None:
        """Ask all readers to end, without waiting for them."""
        for one in self._running.values():
            one.stop.set()
        self._ended()

    @property
    def all_ended(self) -> bool:
        """True if there are cameras and all of them are recordings that have ended."""
        return bool(self._running) and not any(
            one.thread.is_alive() or one.source.kind not in ("file", "http")
            for one in self._running.values()
        )
