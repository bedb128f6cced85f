"""Counters of a live run, written by its threads, and the snapshots that are made of them."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sized
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np

from pipeline.events import Event
from pipeline.telemetry.event_counters import EventCounters
from pipeline.telemetry.reporters import DiskState, EvidenceState, PublisherState
from pipeline.telemetry.snapshots import (
    DROP_CAUSES,
    CameraSnapshot,
    CameraState,
    DropCause,
    Snapshot,
)
from pipeline.types import DecidedEnd, DecidedFrame

WINDOW_S = 60.0  # rates and percentiles are of the last minute
_MAX_SAMPLES = 20_000


@runtime_checkable
class MonitoredQueue(Sized, Protocol):
    """A queue that knows since when its consumer has been processing one batch."""

    busy_since: float | None  # monotonic seconds; None while the consumer waits for items


class Samples:
    """Numbers of the last `WINDOW_S` seconds.

    Args:
        monotonic: seconds on a clock that is never set back.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._values: deque[tuple[float, float]] = deque(maxlen=_MAX_SAMPLES)

    def add(self, value: float) -> None:
        """Add a number, measured now."""
        self._values.append((self._monotonic(), value))

    def values(self) -> list[float]:
        """Return the numbers of the window, oldest first."""
        after = self._monotonic() - WINDOW_S
        while self._values and self._values[0][0] < after:
            self._values.popleft()
        return [value for _, value in self._values]

    def mean(self) -> float:
        """Return their mean, 0 if there are none."""
        values = self.values()
        return sum(values) / len(values) if values else 0.0

    def percentiles(self) -> tuple[float, float, float] | None:
        """Return p50, p95 and p99, or None if there are no numbers."""
        values = self.values()
        if not values:
            return None
        p50, p95, p99 = np.percentile(values, (50, 95, 99)).tolist()
        return p50, p95, p99


@dataclass(slots=True)
class _CameraCounters:
    """What is counted of one camera."""

    since: float  # Unix seconds
    added_at: float  # on the clock of the samples
    arrivals: Samples
    detections: Samples
    state: CameraState = "connecting"
    reason: str | None = None
    detail: str | None = None
    frames_in: int = 0
    frames_detected: int = 0
    drops: Counter[DropCause] = field(default_factory=Counter)
    staleness_s: float | None = None
    tracks: int = 0
    connects: int = 0
    wh: tuple[int, int] | None = None
    events: EventCounters = field(default_factory=EventCounters)


class RunStatus:
    """Counters of a live run; every method may be called from any thread.

    Args:
        now: Unix seconds, for timestamps that are shown.
        monotonic: seconds on a clock that is never set back, for rates and durations.
        stuck_s: a consumer that processes one batch for longer is reported as stuck, seconds.
        gpu_memory: bytes that PyTorch holds on the GPU, or None.
    """

    def __init__(
        self,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        *,
        stuck_s: float = float("inf"),
        gpu_memory: Callable[[], int | None] = lambda: None,
    ) -> None:
        self._now, self._monotonic = now, monotonic
        self._stuck_s, self._gpu_memory = stuck_s, gpu_memory
        self._started_at = now()
        self._lock = threading.Lock()
        self._queues: dict[str, Sized] = {}
        self._publisher: PublisherState | None = None
        self._disks: list[DiskState] = []
        self._evidence: EvidenceState | None = None
        self._cameras: dict[str, _CameraCounters] = {}
        self._latency: dict[str, Samples] = {}
        self._detect_batches, self._recognize_batches = self._samples(), self._samples()
        self._dropped_clips = self._unscored_clips = self._events = 0
        self._expected = EventCounters()

    def register_queue(self, name: str, queue: Sized) -> None:
        """Include a queue's length in the snapshots, and watch its consumer if it is monitored.

        Args:
            name: of the queue; of a `MonitoredQueue`, the stage that takes from it.
            queue: its length may be asked for from any thread.
        """
        with self._lock:
            self._queues[name] = queue

    def register_publisher(self, publisher: PublisherState) -> None:
        """Include the state of the event delivery in the snapshots."""
        with self._lock:
            self._publisher = publisher

    def register_disk(self, disk: DiskState) -> None:
        """Include the state of a writer to a disk in the snapshots."""
        with self._lock:
            self._disks.append(disk)

    def expect(self, actions: Iterable[str], alarms: Iterable[tuple[str, str]] = ()) -> None:
        """Set what cameras that are added begin to count; see `EventCounters.expect`."""
        with self._lock:
            self._expected.expect(actions, alarms)

    def register_evidence(self, evidence: EvidenceState) -> None:
        """Include the state of the writer of snapshots and clips in the snapshots."""
        with self._lock:
            self._evidence = evidence

    def add_camera(self, camera_id: str) -> None:
        """Start the counters of a camera."""
        with self._lock:
            self._cameras[camera_id] = _CameraCounters(
                self._now(),
                self._monotonic(),
                self._samples(),
                self._samples(),
                events=self._expected.copy(),
            )

    def remove_camera(self, camera_id: str) -> None:
        """Remove the counters of a camera."""
        with self._lock:
            self._cameras.pop(camera_id, None)

    def set_state(
        self,
        camera_id: str,
        state: CameraState,
        reason: str | None = None,
        detail: str | None = None,
    ) -> bool:
        """Set the state of a camera.

        Args:
            camera_id: one that was added; any other is ignored.
            state: its state now.
            reason: while it is down, a `DownReason`.
            detail: while it is down, a text for people without credentials.

        Returns:
            True if the state or the reason changed.
        """
        with self._lock:
            camera = self._cameras.get(camera_id)
            if camera is None:
                return False
            changed = (state, reason) != (camera.state, camera.reason)
            if state != camera.state:
                camera.since = self._now()
                camera.connects += state == "up"
                if state != "up":
                    camera.tracks, camera.staleness_s = 0, None
            camera.state, camera.reason, camera.detail = state, reason, detail
            return changed

    def arrived(self, camera_id: str, wh: tuple[int, int]) -> None:
        """Count a frame that the decoder delivered for detection; `wh` in pixels."""
        with self._lock:
            if camera := self._cameras.get(camera_id):
                camera.frames_in += 1
                camera.wh = wh
                camera.arrivals.add(1.0)

    def dropped(self, camera_id: str, cause: DropCause, count: int = 1) -> None:
        """Count dropped frames."""
        with self._lock:
            if camera := self._cameras.get(camera_id):
                camera.drops[cause] += count

    def drops(self, camera_id: str) -> int:
        """Return how many frames of a camera were dropped, for any cause."""
        with self._lock:
            camera = self._cameras.get(camera_id)
            return 0 if camera is None else camera.drops.total()

    def published(self, latency_s: Mapping[str, float]) -> None:
        """Record an event that Redis received, with its latencies by stage in seconds."""
        with self._lock:
            self._add_latency(latency_s)

    def entered_detection(self, staleness_s: Mapping[str, float]) -> None:
        """Record a batch that enters the detector.

        Args:
            staleness_s: seconds since the capture of the frame, by camera.
        """
        with self._lock:
            if staleness_s:
                self._detect_batches.add(len(staleness_s))
            for camera_id, age_s in staleness_s.items():
                if camera := self._cameras.get(camera_id):
                    camera.frames_detected += 1
                    if camera.state == "up":
                        camera.staleness_s = age_s
                    camera.detections.add(1.0)

    def entered_recognition(self, clips: int, dropped: int) -> None:
        """Record a batch that enters the recognizer, and the clips that were dropped as too old."""
        with self._lock:
            if clips:
                self._recognize_batches.add(clips)
            self._dropped_clips += dropped

    def decided(
        self,
        camera_id: str,
        tracks: int,
        events: int,
        latency_s: Mapping[str, float],
        unscored: int = 0,
    ) -> None:
        """Record a frame or an end that has passed all stages.

        Args:
            camera_id: its camera.
            tracks: number of people tracked in it.
            events: number of events decided at it.
            latency_s: seconds by stage; empty unless something was recognized in it.
            unscored: number of its clips whose scores were not finite.
        """
        with self._lock:
            if (camera := self._cameras.get(camera_id)) and camera.state == "up":
                camera.tracks = tracks
            self._events += events
            self._unscored_clips += unscored
            self._add_latency(latency_s)

    def count_events(self, camera_id: str, events: Iterable[Event]) -> None:
        """Count the events of a camera by what they are about."""
        with self._lock:
            if camera := self._cameras.get(camera_id):
                for event in events:
                    camera.events.add(event)

    def snapshot(self) -> Snapshot:
        """Return everything as it is now."""
        # Asked outside of the lock: a queue reports its drops while it holds its own lock.
        with self._lock:
            queues, publisher, disks = dict(self._queues), self._publisher, tuple(self._disks)
            evidence = self._evidence
        lengths = {name: len(queue) for name, queue in queues.items()}
        stuck = self._find_stuck(queues)
        outbox_waiting = 0 if publisher is None else publisher.waiting
        redis_error = None if publisher is None else publisher.last_error
        disk_error = next((disk.disk_error for disk in disks if disk.disk_error), None)
        gpu_memory_bytes = self._gpu_memory()
        with self._lock:
            latency = {name: samples.percentiles() for name, samples in self._latency.items()}
            return Snapshot(
                started_at=self._started_at,
                healthy=stuck is None,
                stuck=stuck,
                cameras=tuple(self._camera(name, one) for name, one in self._cameras.items()),
                queues=lengths,
                dropped_clips=self._dropped_clips,
                unscored_clips=self._unscored_clips,
                detect_batch=self._detect_batches.mean(),
                recognize_batch=self._recognize_batches.mean(),
                latency_s={name: value for name, value in latency.items() if value is not None},
                events=self._events,
                outbox_waiting=outbox_waiting,
                redis_error=redis_error,
                disk_error=disk_error,
                evidence_error=None if evidence is None else evidence.error,
                evidence_written={} if evidence is None else evidence.written,
                evidence_missing={} if evidence is None else evidence.missing,
                gpu_memory_bytes=gpu_memory_bytes,
            )

    def _find_stuck(self, queues: Mapping[str, Sized]) -> str | None:
        for name, queue in queues.items():
            since = queue.busy_since if isinstance(queue, MonitoredQueue) else None
            if since is not None and (busy_s := self._monotonic() - since) > self._stuck_s:
                return f"{name} has been at one piece of work for {busy_s:.0f} s"
        return None

    def _samples(self) -> Samples:
        return Samples(self._monotonic)

    def _add_latency(self, latency_s: Mapping[str, float]) -> None:
        for stage, seconds in latency_s.items():
            self._latency.setdefault(stage, self._samples()).add(seconds)

    def _camera(self, camera_id: str, camera: _CameraCounters) -> CameraSnapshot:
        window_s = min(WINDOW_S, max(self._monotonic() - camera.added_at, 1.0))
        return CameraSnapshot(
            camera_id=camera_id,
            state=camera.state,
            reason=camera.reason,
            detail=camera.detail,
            since=camera.since,
            fps_in=len(camera.arrivals.values()) / window_s,
            fps_detected=len(camera.detections.values()) / window_s,
            frames_in=camera.frames_in,
            frames_detected=camera.frames_detected,
            drops={cause: camera.drops[cause] for cause in DROP_CAUSES},
            staleness_s=camera.staleness_s,
            tracks=camera.tracks,
            connects=camera.connects,
            wh=camera.wh,
            events=dict(camera.events.events),
            alarms=dict(camera.events.alarms),
        )


class StatusSink:
    """Count the results of a run, as a sink.

    Args:
        status: the counters.
    """

    def __init__(self, status: RunStatus) -> None:
        self._status = status

    def write(self, item: DecidedFrame | DecidedEnd) -> None:
        """Count an item with its people, events and latencies."""
        if isinstance(item, DecidedFrame):
            people, latency_s = len(item.tracked.people), item.latency_s
            events, unscored = len(item.events), item.unscored
            self._status.decided(item.camera_id, people, events, latency_s, unscored)
        else:
            self._status.decided(item.camera_id, 0, len(item.events), {})
        for event in item.events:  # evidence of a lost camera comes with the frames of others
            self._status.count_events(event.camera_id, (event,))

    def close(self) -> None:
        """Do nothing: the counters stay readable."""
