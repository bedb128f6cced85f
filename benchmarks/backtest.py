"""Measure a back-test: seconds per camera hour of observations, and their size.

The observations are made up: people who walk about for a part of every minute, scored twice a
second by a recognizer of five labels. Times are of this machine, processor seconds beside them.

    python -m benchmarks.backtest --hours 4 --people 3 --busy 0.2
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from pipeline.backtest.run import back_test
from pipeline.config.schema import load_config
from pipeline.observations.reader import ObservationReader, ObservationSelection, find_files
from pipeline.observations.recorded_run import NumberedItem, RecordedRun
from pipeline.observations.retention import ObservationLimits
from pipeline.observations.writer import ObservationWriter
from pipeline.types import (
    Frame,
    Prediction,
    RecognizedFrame,
    StreamEnd,
    Subject,
    TrackedFrame,
    TrackedPerson,
)

LABELS = ("nothing", "walking", "fight", "fall", "wave")
FPS = 10
STARTED_AT = 1_790_000_000.0  # Unix seconds
MINUTE = 60 * FPS  # frames


def made_frames(hours: float, people: int, busy: float, seed: int) -> Iterator[RecognizedFrame]:
    """Yield the frames of one camera.

    Args:
        hours: of video.
        people: who are there in the busy part of every minute.
        busy: fraction of a minute with people.
        seed: of where they walk and what they are scored.
    """
    random = np.random.default_rng(seed)
    image = np.broadcast_to(np.uint8(0), (720, 1280, 3))
    boxes = np.zeros((people, 4), np.float32)
    for index in range(round(hours * 3600 * FPS)):
        minute, place = divmod(index, MINUTE)
        ids = [minute * people + n + 1 for n in range(people)] if place < busy * MINUTE else []
        if place == 0:
            corner = random.uniform(0, 600, (people, 2))
            boxes = np.hstack([corner, corner + np.array([60, 120])]).astype(np.float32)
        boxes = boxes + random.normal(0, 1.5, (people, 1)).astype(np.float32)
        at = STARTED_AT + index / FPS
        frame = Frame("", index, index / FPS, at, image, at)
        confidence = random.uniform(0.4, 1, people).astype(np.float32)
        there = [
            TrackedPerson(track_id, box, float(sure))
            for track_id, box, sure in zip(ids, boxes, confidence, strict=bool(ids))
        ]
        scored = [
            Prediction(
                Subject.person(one.track_id),
                one.xyxy,
                random.dirichlet([4, 2, 0.3, 0.3, 0.3]).astype(np.float32),
            )
            for one in there
            if index % (FPS // 2) == 0
        ]
        left = tuple(range((minute - 1) * people + 1, minute * people + 1)) if place == 0 else ()
        yield RecognizedFrame(
            TrackedFrame(frame, tuple(there), left, at, at), tuple(scored), at, at
        )


def keep(folder: Path, cameras: int, hours: float, people: int, busy: float) -> float:
    """Write the observations of some cameras; return the seconds that the writer took."""
    run = RecordedRun(
        recording="20260921T125957Z-0",
        run_id="benchmark",
        wall_clock=True,
        live=True,
        model="made up",
        labels=LABELS,
        group_actions=(),
        fresh_s=0.0,
        stride_s=0.5,
        default_decision=None,
    )
    writer = ObservationWriter(folder, run, ObservationLimits(1e9, 1e9, 10**12), tolerant=False)
    spent = 0.0
    for camera in range(cameras):
        items: list[RecognizedFrame | StreamEnd] = []
        for item in made_frames(hours, people, busy, camera):
            tracked = item.tracked
            frame = Frame(
                f"camera{camera}",
                tracked.frame.index,
                tracked.frame.pts_s,
                tracked.frame.captured_at,
                tracked.frame.image,
                tracked.frame.decoded_at,
            )
            moved = TrackedFrame(frame, tracked.people, tracked.ended, 0.0, 0.0)
            items.append(RecognizedFrame(moved, item.predictions, 0.0, 0.0))
        items.append(StreamEnd(f"camera{camera}"))
        began = time.perf_counter()
        for number, each in enumerate(items):
            writer.add(NumberedItem(number * cameras + camera, each))
        writer.flush()
        spent += time.perf_counter() - began
    writer.close()
    return spent


def main() -> None:
    """Write, read and decide; print what it took."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cameras", type=int, default=4)
    parser.add_argument("--hours", type=float, default=1.0, help="of each camera")
    parser.add_argument("--people", type=int, default=3, help="who are there at a time")
    parser.add_argument("--busy", type=float, default=0.2, help="fraction of time with people")
    options = parser.parse_args()
    with TemporaryDirectory() as name:
        folder = Path(name)
        wrote_s = keep(folder, options.cameras, options.hours, options.people, options.busy)
        camera_hours = options.cameras * options.hours
        size = sum(path.stat().st_size for path in folder.iterdir())
        print(
            f"{camera_hours:g} camera hours at {FPS} fps, {options.people} people for "
            f"{100 * options.busy:g} % of the time"
        )
        print(f"size: {size / camera_hours / 1e6:.2f} MB per camera hour")
        print(f"writing: {wrote_s / camera_hours:.2f} s per camera hour")
        reader = ObservationReader(find_files([name]), ObservationSelection())
        began, worked = time.perf_counter(), time.process_time()
        frames = sum(1 for _ in reader.items(reader.recordings[0]))
        _report("reading alone", began, worked, frames, camera_hours)
        reader = ObservationReader(find_files([name]), ObservationSelection())
        began, worked = time.perf_counter(), time.process_time()
        events = [
            event
            for [item] in back_test(reader, reader.recordings[0], [load_config()], wall_clock=True)
            for event in item.events
        ]
        _report(f"back-test, {len(events)} events", began, worked, frames, camera_hours)


def _report(title: str, began: float, worked: float, frames: int, camera_hours: float) -> None:
    took_s, worked_s = time.perf_counter() - began, time.process_time() - worked
    print(
        f"{title}: {took_s / camera_hours:.2f} s ({worked_s / camera_hours:.2f} s of processor) "
        f"per camera hour, {1e6 * worked_s / frames:.1f} us per frame, "
        f"{3600 * camera_hours / took_s:.0f} times real time"
    )


if __name__ == "__main__":
    main()
