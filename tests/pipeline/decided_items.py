"""Made events and final-stream items for the tests of everything after the decision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.delivery.storage.outbox_file import StoredEvent
from pipeline.events import (
    ActionEvent,
    AlarmEvent,
    CameraEvent,
    Event,
    EvidenceEvent,
    encode_event,
)
from pipeline.types import (
    DecidedEnd,
    DecidedFrame,
    Frame,
    Image,
    StreamEnd,
    TrackedFrame,
    TrackedPerson,
)


def make_event(seq: int = 1, kind: str = "start", **changes: Any) -> ActionEvent:
    fields = {
        "schema": 4,
        "kind": kind,
        "event_id": f"run/gate/{seq}",
        "instance_id": "gate-run-a1",
        "camera_id": "gate",
        "run_id": "run",
        "seq": seq,
        "track_id": 7,
        "action": "walking",
        "score": 0.75,
        "peak_score": 0.8,
        "start_pts_s": 1.0,
        "end_pts_s": 3.5,
        "start_time": None,
        "end_time": None,
        "frame_index": 10,
        "xyxy": (10.0, 20.0, 30.0, 60.0),
        "frame_wh": (64, 48),
        "model": "test",
        "latency_ms": {},
    }
    return ActionEvent.model_validate(fields | changes)


def make_camera_event(seq: int = 1, kind: str = "camera_up", **changes: Any) -> CameraEvent:
    fields = {
        "schema": 4,
        "kind": kind,
        "event_id": f"run/gate/{seq}",
        "camera_id": "gate",
        "run_id": "run",
        "seq": seq,
        "pts_s": 0.0,
        "time": None,
    }
    return CameraEvent.model_validate(fields | changes)


def make_alarm_event(seq: int = 1, phase: str = "start", **changes: Any) -> AlarmEvent:
    fields = {
        "schema": 4,
        "kind": "alarm",
        "event_id": f"run/gate/{seq}",
        "camera_id": "gate",
        "run_id": "run",
        "seq": seq,
        "phase": phase,
        "alarm_id": "run/gate/alarm-fight/1",
        "rule": "fight",
        "severity": "critical",
        "reason": "fight 0.84 by 7 and 9 in entrance for 1.2 s",
        "zone": "entrance",
        "track_ids": (7, 9),
        "group_ids": (),
        "instance_ids": ("run/gate/7/fight/1",),
        "score": 0.84,
        "start_pts_s": 1.0,
        "end_pts_s": 2.2,
        "start_time": None,
        "end_time": None,
        "frame_index": 22,
        "xyxy": (10.0, 20.0, 30.0, 60.0),
        "frame_wh": (64, 48),
        "latency_ms": {},
    }
    return AlarmEvent.model_validate(fields | changes)


def make_evidence_event(seq: int = 1, **changes: Any) -> EvidenceEvent:
    fields = {
        "schema": 4,
        "kind": "evidence",
        "event_id": f"run/gate/{seq}",
        "camera_id": "gate",
        "run_id": "run",
        "seq": seq,
        "alarm_id": "run/gate/alarm-fight/1",
        "instance_id": None,
        "media": "clip",
        "path": "gate/2026-01-01/fight-1.mp4",
        "codec": "h264",
        "start_pts_s": 0.0,
        "end_pts_s": 7.2,
        "time": None,
        "duration_s": 7.2,
        "size_bytes": 123456,
        "sha256": 64 * "a",
    }
    return EvidenceEvent.model_validate(fields | changes)


def stored(event: Event, row_id: int | None = None, prev: int | None = None) -> StoredEvent:
    """As it would come out of an outbox that holds all events of its camera and run."""
    return StoredEvent(
        id=event.seq if row_id is None else row_id,
        origin=event.origin,
        prev=event.seq - 1 if prev is None else prev,
        seq=event.seq,
        text=encode_event(event),
        kept_since=0.0,
    )


def make_item(
    index: int = 0,
    *,
    camera_id: str = "gate",
    pts_s: float | None = None,
    image: Image | None = None,
    people: Sequence[TrackedPerson] = (),
    events: Sequence[Event] = (),
) -> DecidedFrame:
    if image is None:
        image = np.zeros((48, 64, 3), np.uint8)
    when_s = index / 10 if pts_s is None else pts_s
    frame = Frame(camera_id, index, when_s, captured_at=0.0, image=image, decoded_at=0.0)
    tracked = TrackedFrame(frame, tuple(people), (), detected_at=0.0, tracked_at=0.0)
    return DecidedFrame(tracked, tuple(events))


def make_end(camera_id: str = "gate", events: Sequence[Event] = ()) -> DecidedEnd:
    return DecidedEnd(StreamEnd(camera_id), tuple(events))


def make_person(
    track_id: int, xyxy: tuple[float, float, float, float], confidence: float = 0.9
) -> TrackedPerson:
    return TrackedPerson(track_id, np.array(xyxy, np.float32), confidence)
