"""Made events and final-stream items for the tests of everything after the decision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.events import ActionEvent
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
        "schema": 1,
        "kind": kind,
        "event_id": f"gate-run-{seq}",
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


def make_item(
    index: int = 0,
    *,
    camera_id: str = "gate",
    pts_s: float | None = None,
    image: Image | None = None,
    people: Sequence[TrackedPerson] = (),
    events: Sequence[ActionEvent] = (),
) -> DecidedFrame:
    if image is None:
        image = np.zeros((48, 64, 3), np.uint8)
    when_s = index / 10 if pts_s is None else pts_s
    frame = Frame(camera_id, index, when_s, captured_at=0.0, image=image)
    tracked = TrackedFrame(frame, tuple(people), (), detected_at=0.0, tracked_at=0.0)
    return DecidedFrame(tracked, tuple(events))


def make_end(camera_id: str = "gate", events: Sequence[ActionEvent] = ()) -> DecidedEnd:
    return DecidedEnd(StreamEnd(camera_id), tuple(events))


def make_person(
    track_id: int, xyxy: tuple[float, float, float, float], confidence: float = 0.9
) -> TrackedPerson:
    return TrackedPerson(track_id, np.array(xyxy, np.float32), confidence)
