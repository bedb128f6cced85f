"""A live run in good order, for tests to spoil."""

from __future__ import annotations

from typing import Any

from pipeline.telemetry.snapshots import DROP_CAUSES, CameraSnapshot, Snapshot

STARTED_AT = 1_767_225_600.0  # 2026-01-01T00:00:00Z


def make_camera(camera_id: str = "gate", **changes: Any) -> CameraSnapshot:
    """A camera that is up."""
    values: dict[str, Any] = {
        "camera_id": camera_id,
        "state": "up",
        "reason": None,
        "detail": None,
        "since": STARTED_AT + 1.5,
        "fps_in": 24.987,
        "fps_detected": 12.5,
        "frames_in": 2500,
        "frames_detected": 1250,
        "drops": dict.fromkeys(DROP_CAUSES, 0) | {"full": 7},
        "staleness_s": 0.12345,
        "tracks": 3,
        "connects": 1,
        "wh": (1920, 1080),
        "events": {("fight", "start"): 2, ("", "camera_up"): 1},
        "alarms": {("night", "critical"): 1},
    }
    return CameraSnapshot(**values | changes)


def make_snapshot(*cameras: CameraSnapshot, **changes: Any) -> Snapshot:
    """A run in good order."""
    values: dict[str, Any] = {
        "started_at": STARTED_AT,
        "healthy": True,
        "stuck": None,
        "cameras": cameras or (make_camera(),),
        "queues": {"frames": 2, "clips": 0},
        "dropped_clips": 4,
        "unscored_clips": 2,
        "detect_batch": 3.5,
        "recognize_batch": 6.0,
        "latency_s": {"detect": (0.01, 0.02, 0.03), "total": (0.4, 0.8, 1.2)},
        "events": 42,
        "outbox_waiting": 0,
        "redis_error": None,
        "disk_error": None,
        "gpu_memory_bytes": 1_000_000,
        "evidence_written": {"snapshot": 5, "clip": 4},
        "evidence_missing": {"clip": 1},
    }
    return Snapshot(**values | changes)
