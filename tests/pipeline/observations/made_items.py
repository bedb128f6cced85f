"""A made run: what the decision stage gets of several cameras, with everything that may occur."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from models.boxes import FloatArray
from pipeline.observations.recorded_run import NumberedItem, RecordedRun
from pipeline.types import (
    Frame,
    Prediction,
    RecognizedFrame,
    StreamEnd,
    Subject,
    TrackedFrame,
    TrackedGroup,
    TrackedPerson,
)

LABELS = ("walk", "fight", "fall")
FIRST_SET, SECOND_SET = ("walk", "fight"), ("fall", "walk")  # of two recognizers
CAMERAS = ("camera 0/é", "camera 1/é", "yard")
HOUR_S = 3600
STARTED_AT = 1_790_000_000 // HOUR_S * HOUR_S - 3.0  # three seconds before an hour begins


def make_run(**changes: Any) -> RecordedRun:
    fields = {
        "recording": "20260921T125957Z-00000000",
        "run_id": "run",
        "wall_clock": True,
        "live": True,
        "model": "net",
        "labels": LABELS,
        "group_actions": ("fight",),
        "fresh_s": 1.0,
        "stride_s": 0.5,
        "default_decision": None,
    }
    return RecordedRun(**(fields | changes))


def make_recognized(
    index: int = 0,
    *,
    camera_id: str = "gate",
    pts_s: float | None = None,
    seen_at: float | None = None,
    people: int = 1,
    ended: tuple[int, ...] = (),
    predictions: tuple[Prediction, ...] = (),
) -> RecognizedFrame:
    pts_s = index / 10 if pts_s is None else pts_s
    at = STARTED_AT + pts_s if seen_at is None else seen_at
    frame = Frame(camera_id, index, pts_s, at, np.zeros((48, 64, 3), np.uint8), at)
    there = tuple(TrackedPerson(n + 1, _box(index + n), 0.5 + n / 8) for n in range(people))
    return RecognizedFrame(TrackedFrame(frame, there, ended, at, at), predictions, at, at)


def made_items(cameras: int = 3, frames: int = 120, seed: int = 0) -> list[NumberedItem]:
    """Interleave cameras; one reconnects, one has no end, one is a recording with known times."""
    random = np.random.default_rng(seed)
    each = [list(_camera(CAMERAS[n], n, frames, random)) for n in range(cameras)]
    order = [n for n, items in enumerate(each) for _ in items]
    random.shuffle(order)
    iterators = [iter(items) for items in each]
    return [NumberedItem(number, next(iterators[n])) for number, n in enumerate(order)]


def _camera(
    camera_id: str, n: int, frames: int, random: np.random.Generator
) -> Iterator[RecognizedFrame | StreamEnd]:
    """Yield some frames per second over more than an hour, with a reconnect."""
    if n == 1:
        yield StreamEnd(camera_id, "unreachable", "the text of an error", STARTED_AT - 1)
    for index in range(frames):
        if n == 1 and index == frames // 2:
            yield StreamEnd(camera_id, "disconnected", None, STARTED_AT + index / 10)
        yield _random_frame(camera_id, index, random, recorded=n == 2)
    if n != 0:
        yield StreamEnd(camera_id, "stopped" if n == 1 else "stream_ended")


def _random_frame(
    camera_id: str, index: int, random: np.random.Generator, *, recorded: bool
) -> RecognizedFrame:
    pts_s = index / 10 + random.uniform(0, 0.01)
    at = STARTED_AT + pts_s + random.uniform(0, 0.01)
    there = sorted(random.choice(5, random.integers(0, 5), replace=False).tolist())
    people = tuple(_person(track_id, random) for track_id in there)
    groups = (TrackedGroup(1, tuple(there[:2]), _box(index)),) if len(there) > 2 else ()
    frame = Frame(
        camera_id,
        index,
        pts_s,
        at,
        np.broadcast_to(np.uint8(0), (48, 64, 3)),
        at,
        at - 1e6 - 1e-6 if recorded else None,
    )
    tracked = TrackedFrame(
        frame,
        people,
        tuple(random.choice(5, 1).tolist()) if index % 20 == 7 else (),
        at,
        at,
        groups,
        (1,) if index % 30 == 9 else (),
    )
    predictions = []
    for person in people if index % 3 == 0 else ():
        subject = Subject.person(person.track_id)
        predictions.append(_prediction(subject, 0, FIRST_SET, random))
        predictions.append(_prediction(subject, 1, SECOND_SET, random))
    for group in groups if index % 3 == 0 else ():
        predictions.insert(1, _prediction(group.subject, 0, FIRST_SET, random))
    return RecognizedFrame(tracked, tuple(predictions), at, at, int(random.integers(0, 2)))


def _person(track_id: int, random: np.random.Generator) -> TrackedPerson:
    xyxy = random.uniform(0, 48, 4).astype(np.float32)
    track_ids = (track_id, track_id + 100) if track_id == 3 else ()
    return TrackedPerson(track_id, xyxy, random.uniform(), None, track_ids)


def _prediction(
    subject: Subject, recognizer: int, labels: tuple[str, ...], random: np.random.Generator
) -> Prediction:
    scores = random.dirichlet([0.3] * len(labels)).astype(np.float32)
    xyxy = random.uniform(0, 48, 4).astype(np.float32)
    return Prediction(subject, xyxy, scores, labels, recognizer)


def _box(n: int) -> FloatArray:
    return np.array([n % 7, n % 5, 20 + n % 3, 30.5], np.float32)


def comparable(one: NumberedItem) -> Any:
    """Everything that a decision can depend on, in a form in which equal means equal bits."""
    item = one.item
    if isinstance(item, StreamEnd):
        return one.number, replace(item, error=None)
    tracked, frame = item.tracked, item.tracked.frame
    return (
        one.number,
        (frame.camera_id, frame.index, frame.wh, item.unscored, tracked.ended),
        [number.hex() for number in (frame.pts_s, frame.captured_at, frame.seen_at)],
        [
            (p.track_id, p.track_ids, p.xyxy.dtype, p.xyxy.tobytes(), p.confidence.hex())
            for p in tracked.people
        ],
        [(g.group_id, g.members, g.xyxy.dtype, g.xyxy.tobytes()) for g in tracked.groups],
        tracked.ended_groups,
        [
            (p.subject, p.recognizer, p.labels, p.scores.dtype, p.scores.tobytes())
            for p in item.predictions
        ],
        [(p.xyxy.dtype, p.xyxy.tobytes()) for p in item.predictions],
    )
