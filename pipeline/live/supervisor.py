"""Supervise a live run: print its status, reload the cameras, notify systemd."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipeline.errors import ConfigError
from pipeline.live.camera_set import CameraSet
from pipeline.live.camera_source import CameraSource
from pipeline.telemetry.snapshots import CameraSnapshot, Snapshot
from pipeline.telemetry.systemd import SystemdNotifier

TICK_S = 0.5
_CHECK_INTERVAL_S = 10.0  # between two checks of a run that prints no status line
# Detected frames as a fraction of those that came in: a warning below, an all-clear above.
_TOO_FEW, _ENOUGH = 0.9, 0.97

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Operator:
    """Who runs the program: where the run is reported, and how its cameras are changed."""

    print_line: Callable[[str], None]
    report_interval_s: float  # between two status lines; 0: none is printed
    load_cameras: Callable[[], Sequence[CameraSource]]  # from the configuration as it is then
    reload_requested: threading.Event
    systemd: SystemdNotifier
    print_waiting: Callable[[], None] = lambda: None  # prints the events since the last call


class Supervisor:
    """Watch over a live run, beside its stages.

    Args:
        cameras: the cameras, already started; changed by a reload, stopped at the end.
        snapshot: the state of the run.
        operator: gets the reports and asks for reloads.
        stop: ends the run.
        least_fps: frames per second that a camera needs, or no clip of it is complete.
    """

    def __init__(
        self,
        cameras: CameraSet,
        snapshot: Callable[[], Snapshot],
        operator: Operator,
        stop: threading.Event,
        *,
        least_fps: float = 0.0,
    ) -> None:
        self._least_fps = least_fps
        self._cameras, self._snapshot, self._stop = cameras, snapshot, stop
        self._operator, self._systemd = operator, operator.systemd
        self._before: Snapshot | None = None
        self._before_at = 0.0
        self._is_short = False

    def run(self) -> None:
        """Supervise until `stop` is set or every camera, all of them files, has ended."""
        every_s = self._operator.report_interval_s or _CHECK_INTERVAL_S
        try:
            self._systemd.ready()
            report_at = alive_at = time.monotonic()
            while not self._stop.wait(TICK_S) and not self._cameras.all_ended:
                if self._operator.reload_requested.is_set():
                    self._operator.reload_requested.clear()
                    self._reload()
                self._operator.print_waiting()
                now = time.monotonic()
                alive_at = self._notify_alive(now, alive_at)
                if now - report_at >= every_s:
                    report_at = now
                    self._report()
        finally:
            self._systemd.stopping()
            self._cameras.stop()

    def _notify_alive(self, now: float, alive_at: float) -> float:
        interval_s = self._systemd.watchdog_interval_s
        if interval_s is None or now < alive_at:
            return alive_at
        if self._snapshot().healthy:
            self._systemd.alive()
        return now + interval_s

    def _reload(self) -> None:
        self._systemd.reloading()
        try:
            sources = self._operator.load_cameras()
        except ConfigError as error:
            log.error("not reloaded, everything stays as it is: %s", error)
        else:
            self._cameras.update(sources)
            log.info("reloaded")
        self._systemd.ready()

    def _report(self) -> None:
        snapshot = self._snapshot()
        line = status_line(snapshot)
        if self._operator.report_interval_s:
            self._operator.print_line(line)
        self._systemd.status(line)
        self._check_rate(snapshot)
        if not snapshot.healthy:
            log.error("stuck: %s", snapshot.stuck)

    def _check_rate(self, snapshot: Snapshot) -> None:
        """Log when the detector cannot process the frames that come in, and when it can again."""
        before, before_at = self._before, self._before_at
        self._before, self._before_at = snapshot, time.monotonic()
        if before is None:
            return
        wanted, done = _since(before, snapshot)
        if not wanted:
            return
        fraction = done / wanted
        if not self._is_short and fraction < _TOO_FEW:
            self._is_short = True
            up = sum(camera.state == "up" for camera in snapshot.cameras)
            fps = done / max(self._before_at - before_at, 1e-9) / max(up, 1)
            log.warning(
                "too little compute: %.0f %% of every camera's frames are processed; %s",
                100 * fraction,
                advice(fps, up, self._least_fps),
            )
        elif self._is_short and fraction > _ENOUGH:
            self._is_short = False
            log.info("enough compute again")


def advice(fps: float, cameras: int, least_fps: float) -> str:
    """Return which rate would fit.

    Args:
        fps: frames per second of each camera that are processed now.
        cameras: number of cameras.
        least_fps: below it no clip is complete.
    """
    fits = math.floor(2 * fps) / 2  # in halves, and not more than there is
    if fits >= max(least_fps, 0.5):
        return f"live.detect_fps={fits:g} would fit, or use a faster detector or tracker"
    most = math.floor(cameras * fps / least_fps) if least_fps else 0
    return (
        f"{fps:.1f} frames per second and camera fit, and clips need {least_fps:g} "
        f"(clip.max_gap_s): use a faster detector or tracker, or "
        + (f"at most {most} of these {cameras} cameras" if most else "a faster machine")
    )


def _since(before: Snapshot, now: Snapshot) -> tuple[int, int]:
    """Count the frames that came in and those detected since, of the cameras in both snapshots."""
    old = {camera.camera_id: camera for camera in before.cameras}
    wanted = done = 0
    for camera in now.cameras:
        was = old.get(camera.camera_id)
        if was is not None and was.frames_in <= camera.frames_in:
            wanted += camera.frames_in - was.frames_in
            done += camera.frames_detected - was.frames_detected
    return wanted, done


def status_line(snapshot: Snapshot) -> str:
    """Describe the state of a run in one line."""
    cameras = snapshot.cameras
    up = [camera for camera in cameras if camera.state == "up"]
    missing = ", ".join(_missing(camera) for camera in cameras if camera.state != "up")
    drops = sum(sum(camera.drops.values()) for camera in cameras)
    parts = [
        f"{len(up)} of {len(cameras)} cameras up" + (f" ({missing})" if missing else ""),
        f"{sum(camera.fps_detected for camera in up):.1f} of "
        f"{sum(camera.fps_in for camera in up):.1f} fps",
        f"{sum(camera.tracks for camera in up)} people",
        f"{snapshot.events} events",
    ]
    if total := snapshot.end_to_end_s:
        parts.append(
            "latency p50 {:.0f} p95 {:.0f} p99 {:.0f} ms".format(*(1e3 * s for s in total))
        )
    parts.append(f"dropped {drops} frames, {snapshot.dropped_clips} clips")
    if snapshot.outbox_waiting or snapshot.redis_error:
        parts.append(f"{snapshot.outbox_waiting} events wait for Redis")
    if snapshot.disk_error:
        parts.append("the disk takes no events")
    if snapshot.evidence_error:
        parts.append("evidence is missing")
    return " · ".join(parts)


def _missing(camera: CameraSnapshot) -> str:
    return f"{camera.camera_id} {camera.reason or camera.state}"
