"""What a live run reports of itself at one moment.

The health page, the metrics, the console's status line and the camera hashes on Redis all show
this, so that they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

CameraState = Literal["connecting", "up", "down"]

# Why a frame went no further. "late": it reached us with more than max_staleness_s behind the
# stream's own pace; "stale": it became too old while it waited; "full": newer ones of the same
# camera pushed it out; "busy": the reader of our process had no slot free for it; "corrupt": the
# decoder marked it or could not decode it, or it follows such a one before the next key frame;
# "untimed": the stream gave it no time.
DropCause = Literal["late", "stale", "full", "busy", "corrupt", "untimed"]
DROP_CAUSES: tuple[DropCause, ...] = ("late", "stale", "full", "busy", "corrupt", "untimed")


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
