"""What a live run knows of itself: written by its threads, read by whoever asks how it is.

The health page, the metrics, the line printed every ten seconds and the camera hashes on Redis all
show this, so that they cannot disagree.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

CameraState = Literal["connecting", "up", "down"]

# Why a frame went no further. "late": it reached us with more than max_staleness_s behind the
# stream's own pace; "stale": it became too old while it waited; "full": newer ones of the same
# camera pushed it out; "busy": the reader of our process had no slot free for it; "corrupt": the
# decoder marked it or could not decode it, or it follows such a one before the next key frame;
# "untimed": the stream gave it no time.
DropCause = Literal["late", "stale", "full", "busy", "corrupt", "untimed"]
DROP_CAUSES: tuple[DropCause, ...] = ("late", "stale", "full", "busy", "corrupt", "untimed")

WINDOW_S = 60.0  # rates and percentiles are of the last minute
_MAX_SAMPLES = 20_000


@dataclass(frozen=True, slots=True)
class CameraSnapshot:
    """One camera at one moment."""

    camera_id: str
    state: CameraState
    reason: str | None  # while it is down: a DownReason
    detail: str | None  # while it is down: for people, without credentials
    since: float  # Unix seconds of the last change of state
    fps_in: float  # frames per second that are to be looked at, over the last minute
    fps_detected: float  # frames per second that went through the detector
    frames_in: int  # since the start
    frames_detected: int
    drops: Mapping[DropCause, int]  # since the start
    staleness_s: float | None  # age of the newest frame when it entered detection
    tracks: int  # people tracked in the newest frame
    connects: int  # times it came up
    wh: tuple[int, int] | None  # size of its pictures


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The whole run at one moment."""

    started_at: float  # Unix seconds
    healthy: bool  # no stage has been busy with one piece of work for too long
    stuck: str | None  # which stage is, for how long
    cameras: tuple[CameraSnapshot, ...]
    queues: Mapping[str, int]  # items waiting, by name
    dropped_clips: int  # too old for the recognizer
    detect_batch: float  # mean frames per detector call, over the last minute
    recognize_batch: float  # mean clips per recognizer call
    latency_s: Mapping[str, tuple[float, float, float]]  # by stage: p50, p95, p99 of a minute
    events: int  # decided since the start
    outbox_waiting: int  # events that Redis has not got yet
    redis_error: str | None  # why it gets none at the moment, without credentials
    gpu_memory_bytes: int | None  # that PyTorch holds; None without a GPU

    @property
    def end_to_end_s(self) -> tuple[float, float, float] | None:
        """From capture to Redis; without Redis, to the decision."""
        return self.latency_s.get("end_to_end") or self.latency_s.get("total")


class Samples:
    """Numbers of the last minute."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._values: deque[tuple[float, float]] = deque(maxlen=_MAX_SAMPLES)

    def add(self, value: float) -> None:
        """One more, now."""
        self._values.append((self._monotonic(), value))

    def values(self) -> list[float]:
        """Those of the last minute, oldest first."""
        after = self._monotonic() - WINDOW_S
        while self._values and self._values[0][0] < after:
            self._values.popleft()
        return [value for _, value in self._values]

    def mean(self) -> float:
        """Their mean, 0 without any."""
        values = self.values()
        return sum(values) / len(values) if values else 0.0

    def percentiles(self) -> tuple[float, float, float] | None:
        """p50, p95 and p99; None without any."""
        values = self.values()
        if not values:
            return None
        p50, p95, p99 = np.percentile(values, (50, 95, 99)).tolist()
        return p50, p95, p99


@dataclass(slots=True)
class _CameraCounters:
    """The counters of one camera."""

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


class RunStatus:
    """Counters of a live run; every method may be called from any thread.

    Args:
        now: Unix seconds, for what is told.
        monotonic: seconds that nobody sets back, for rates.
    """

    def __init__(
        self,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._now, self._monotonic = now, monotonic
        self._started_at = now()
        self._lock = threading.Lock()
        self._cameras: dict[str, _CameraCounters] = {}
        self._latency: dict[str, Samples] = {}
        self._detect_batches, self._recognize_batches = self._samples(), self._samples()
        self._dropped_clips = self._events = 0

    def add_camera(self, camera_id: str) -> None:
        """A camera is watched from now on."""
        with self._lock:
            self._cameras[camera_id] = _CameraCounters(
                self._now(), self._monotonic(), self._samples(), self._samples()
            )

    def remove_camera(self, camera_id: str) -> None:
        """A camera is watched no longer."""
        with self._lock:
            self._cameras.pop(camera_id, None)

    def set_state(
        self,
        camera_id: str,
        state: CameraState,
        reason: str | None = None,
        detail: str | None = None,
    ) -> bool:
        """How a camera is; returns True if its state or the reason changed."""
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
        """The decoder gave a picture that is to be looked at."""
        with self._lock:
            if camera := self._cameras.get(camera_id):
                camera.frames_in += 1
                camera.wh = wh
                camera.arrivals.add(1.0)

    def dropped(self, camera_id: str, cause: DropCause, count: int = 1) -> None:
        """Frames that go no further."""
        with self._lock:
            if camera := self._cameras.get(camera_id):
                camera.drops[cause] += count

    def drops(self, camera_id: str) -> int:
        """Frames of a camera that went no further, for whatever cause."""
        with self._lock:
            camera = self._cameras.get(camera_id)
            return 0 if camera is None else camera.drops.total()

    def published(self, latency_s: Mapping[str, float]) -> None:
        """Redis has an event: what publishing it took, and all in all."""
        with self._lock:
            self._add_latency(latency_s)

    def entered_detection(self, staleness_s: Mapping[str, float]) -> None:
        """A batch goes into the detector: the age of each camera's frame."""
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
        """So many clips go into the recognizer; so many more had become too old for it."""
        with self._lock:
            if clips:
                self._recognize_batches.add(clips)
            self._dropped_clips += dropped

    def decided(
        self, camera_id: str, tracks: int, events: int, latency_s: Mapping[str, float]
    ) -> None:
        """A frame is through.

        Args:
            camera_id: whose.
            tracks: people in it.
            events: decided at it.
            latency_s: by stage; empty unless something was recognized in it.
        """
        with self._lock:
            if (camera := self._cameras.get(camera_id)) and camera.state == "up":
                camera.tracks = tracks
            self._events += events
            self._add_latency(latency_s)

    def snapshot(
        self,
        *,
        queues: Mapping[str, int],
        stuck: str | None,
        outbox_waiting: int,
        redis_error: str | None,
        gpu_memory_bytes: int | None,
    ) -> Snapshot:
        """Everything at this moment; the arguments are what only the wiring knows."""
        with self._lock:
            latency = {name: samples.percentiles() for name, samples in self._latency.items()}
            return Snapshot(
                started_at=self._started_at,
                healthy=stuck is None,
                stuck=stuck,
                cameras=tuple(self._camera(name, one) for name, one in self._cameras.items()),
                queues=dict(queues),
                dropped_clips=self._dropped_clips,
                detect_batch=self._detect_batches.mean(),
                recognize_batch=self._recognize_batches.mean(),
                latency_s={name: value for name, value in latency.items() if value is not None},
                events=self._events,
                outbox_waiting=outbox_waiting,
                redis_error=redis_error,
                gpu_memory_bytes=gpu_memory_bytes,
            )

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
        )
