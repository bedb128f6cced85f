"""Keeps house while a live run goes on: says how it is, reloads, tells systemd that it lives."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Generator, Sequence

from pipeline.errors import ConfigError
from pipeline.live.camera_set import CameraSet
from pipeline.live.camera_source import CameraSource
from pipeline.telemetry.run_status import CameraSnapshot, Snapshot
from pipeline.telemetry.systemd import SystemdNotifier

TICK_S = 0.5
_LOOK_S = 10.0  # how often is looked, if nothing is to be said of it
# Of the frames that were to be looked at; between the two nothing is said again.
_TOO_FEW, _ENOUGH = 0.9, 0.97

log = logging.getLogger(__name__)


class Supervisor:
    """What happens every second and every ten beside the pipeline.

    Args:
        view: how the run is.
        say: prints a line.
        every_s: seconds between two lines; 0 prints none.
        load: the cameras as the configuration has them now.
        reload_asked: set when it shall be read again.
        service: systemd, or nobody.
    """

    def __init__(
        self,
        view: Callable[[], Snapshot],
        say: Callable[[str], None],
        every_s: float,
        load: Callable[[], Sequence[CameraSource]],
        reload_asked: threading.Event,
        service: SystemdNotifier,
    ) -> None:
        self._view, self._say, self._every_s = view, say, every_s
        self._load, self._reload_asked, self._service = load, reload_asked, service
        self._before: Snapshot | None = None
        self._is_short = False

    def run(
        self,
        cameras: CameraSet,
        first: Sequence[CameraSource],
        stop: threading.Event,
        ended: Callable[[], None],
    ) -> Generator[None, None, None]:
        """Go on until `stop` is set or every camera has ended by itself; a stage without items.

        Args:
            cameras: told what to watch.
            first: what to begin with.
            stop: ends it.
            ended: called when no camera is watched any more.
        """
        yield from ()
        try:
            cameras.update(first)
            self._service.ready()
            report_at = alive_at = time.monotonic()
            while not stop.wait(TICK_S) and not cameras.all_ended:
                if self._reload_asked.is_set():
                    self._reload_asked.clear()
                    self._reload(cameras)
                now = time.monotonic()
                alive_at = self._tell_alive(now, alive_at)
                if now - report_at >= (self._every_s or _LOOK_S):
                    report_at = now
                    self._report()
        finally:
            self._service.stopping()
            cameras.stop()
            ended()

    def _tell_alive(self, now: float, alive_at: float) -> float:
        interval_s = self._service.watchdog_interval_s
        if interval_s is None or now < alive_at:
            return alive_at
        if self._view().healthy:
            self._service.alive()
        return now + interval_s

    def _reload(self, cameras: CameraSet) -> None:
        self._service.reloading()
        try:
            sources = self._load()
        except ConfigError as error:
            log.error("not reloaded, everything stays as it is: %s", error)
        else:
            cameras.update(sources)
            log.info("reloaded")
        self._service.ready()

    def _report(self) -> None:
        snapshot = self._view()
        line = describe(snapshot)
        if self._every_s:
            self._say(line)
        self._service.status(line)
        self._watch_rate(snapshot)
        if not snapshot.healthy:
            log.error("stuck: %s", snapshot.stuck)

    def _watch_rate(self, snapshot: Snapshot) -> None:
        """Say when there is too little compute for the rate asked for, and when that is over."""
        before, self._before = self._before, snapshot
        if before is None:
            return
        wanted, done = _since(before, snapshot)
        if not wanted:
            return
        share = done / wanted
        if not self._is_short and share < _TOO_FEW:
            self._is_short = True
            log.warning(
                "too little compute: of every camera's frames %.0f %% are looked at; lower "
                "live.detect_fps or use a faster detector or tracker (a camera with holes longer "
                "than clip.max_gap_s has no clips)",
                100 * share,
            )
        elif self._is_short and share > _ENOUGH:
            self._is_short = False
            log.info("there is compute enough again")


def _since(before: Snapshot, now: Snapshot) -> tuple[int, int]:
    """Frames that came in and frames that were looked at, of cameras that were there before."""
    old = {camera.camera_id: camera for camera in before.cameras}
    wanted = done = 0
    for camera in now.cameras:
        was = old.get(camera.camera_id)
        if was is not None and was.frames_in <= camera.frames_in:
            wanted += camera.frames_in - was.frames_in
            done += camera.frames_detected - was.frames_detected
    return wanted, done


def describe(snapshot: Snapshot) -> str:
    """How the run is, in a line."""
    cameras = snapshot.cameras
    up = [camera for camera in cameras if camera.state == "up"]
    away = ", ".join(_away(camera) for camera in cameras if camera.state != "up")
    drops = sum(sum(camera.drops.values()) for camera in cameras)
    parts = [
        f"{len(up)} of {len(cameras)} cameras up" + (f" ({away})" if away else ""),
        f"{sum(camera.fps_detected for camera in up):.1f} of "
        f"{sum(camera.fps_in for camera in up):.1f} fps",
        f"{sum(camera.tracks for camera in up)} people",
        f"{snapshot.events} events",
    ]
    if total := snapshot.end_to_end_s:
        parts.append(
            "latency p50 {:.0f} p95 {:.0f} p99 {:.0f} ms".format(*(1e3 * s for s in total))
        )
    parts.append(f"left out {drops} frames, {snapshot.dropped_clips} clips")
    if snapshot.outbox_waiting or snapshot.redis_error:
        parts.append(f"{snapshot.outbox_waiting} events wait for Redis")
    return " · ".join(parts)


def _away(camera: CameraSnapshot) -> str:
    return f"{camera.camera_id} {camera.reason or camera.state}"
