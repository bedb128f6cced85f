"""What a live run reports of itself at one time.

The health page, the metrics, the console's status line and the camera hashes on Redis all show
this, so that they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

CameraState = Literal["connecting", "up", "down"]

# Why a frame was dropped. "late": it arrived more than max_staleness_s behind the pace of its
# stream; "stale": it waited for too long; "full": a newer frame of the same camera displaced it;
# "busy": no slot of shared memory was free; "corrupt": the decoder marked or rejected it, or
# it follows such a frame before the next key frame; "untimed": it has no timestamp.
DropCause = Literal["late", "stale", "full", "busy", "corrupt", "untimed"]
DROP_CAUSES: tuple[DropCause, ...] = ("late", "stale", "full", "busy", "corrupt", "untimed")


@dataclass(frozen=True, slots=True)
class CameraSnapshot:
    """One camera at one time."""

    camera_id: str
    state: CameraState
    reason: str | None  # a DownReason while it is down
    detail: str | None  # a text without credentials while it is down
    since: float  # Unix seconds of the last change of state
    fps_in: float  # frames per second selected for processing, over the last minute
    fps_detected: float  # frames per second processed by the detector
    frames_in: int  # since the start
    frames_detected: int
    drops: Mapping[DropCause, int]  # since the start
    staleness_s: float | None  # age of the newest frame when it entered detection
    tracks: int  # people tracked in the newest frame
    connects: int  # number of times it came up
    wh: tuple[int, int] | None  # size of its frames, pixels
    events: Mapping[tuple[str, str], int]  # since the start, by action ("": none) and kind
    alarms: Mapping[tuple[str, str], int]  # that started, by rule and severity


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The whole run at one time."""

    started_at: float  # Unix seconds
    healthy: bool  # no stage is stuck
    stuck: str | None  # which stage is stuck, and for how long
    cameras: tuple[CameraSnapshot, ...]
    queues: Mapping[str, int]  # items waiting, by name
    dropped_clips: int  # dropped as too old for the recognizer
    unscored_clips: int  # whose scores were not finite numbers
    detect_batch: float  # mean frames per detector call, over the last minute
    recognize_batch: float  # mean clips per recognizer call
    latency_s: Mapping[str, tuple[float, float, float]]  # p50, p95, p99 of the last minute by stage
    events: int  # decided since the start
    outbox_waiting: int  # events that Redis has not received yet
    redis_error: str | None  # why Redis accepts no events now, without credentials
    disk_error: str | None  # why a disk takes no events now; they go past it
    gpu_memory_bytes: int | None  # that PyTorch holds; None without a GPU
    evidence_error: str | None = None  # why a snapshot or clip cannot be written now
    evidence_written: Mapping[str, int] = field(default_factory=dict)  # files by kind
    evidence_missing: Mapping[str, int] = field(default_factory=dict)  # that could not be written

    @property
    def end_to_end_s(self) -> tuple[float, float, float] | None:
        """p50, p95, p99 from capture to Redis; without Redis, to the decision."""
        return self.latency_s.get("end_to_end") or self.latency_s.get("total")
