"""The cameras that are watched at the moment; some may come, change and go while others run."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pipeline.live.camera_source import CameraSource
from pipeline.telemetry.run_status import RunStatus

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Watched:
    source: CameraSource
    stop: threading.Event
    thread: threading.Thread


class CameraSet:
    """A reader per camera; for one thread.

    Args:
        start: begins to read a camera until the event is set.
        status: told of cameras that come and go.
    """

    def __init__(
        self,
        start: Callable[[CameraSource, threading.Event], threading.Thread],
        status: RunStatus,
    ) -> None:
        self._start, self._status = start, status
        self._watched: dict[str, _Watched] = {}

    def update(self, sources: Iterable[CameraSource]) -> None:
        """Begin to watch what is new, end what is gone; what is equal is not touched."""
        wanted = {source.camera_id: source for source in sources}
        gone = [one for name, one in self._watched.items() if one.source != wanted.get(name)]
        for one in gone:  # all at once, then wait for each
            one.stop.set()
        for one in gone:
            name = one.source.camera_id
            one.thread.join()
            del self._watched[name]
            if name not in wanted:
                self._status.remove_camera(name)
        for name, source in wanted.items():
            if name not in self._watched:
                log.info("camera %s: %s", name, source.shown)
                self._status.add_camera(name)
                stop = threading.Event()
                self._watched[name] = _Watched(source, stop, self._start(source, stop))

    def stop(self) -> None:
        """End all."""
        for one in self._watched.values():
            one.stop.set()

    @property
    def all_ended(self) -> bool:
        """Whether there were cameras, and each of them, all files, has ended by itself."""
        return bool(self._watched) and not any(
            one.source.is_endless or one.thread.is_alive() for one in self._watched.values()
        )
