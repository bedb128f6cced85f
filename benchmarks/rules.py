"""Measure what rules cost, as a fraction of a replay.

    python -m benchmarks.rules [--people 30] [--rules 20] [--seconds 60] [--video FILE]

People walk at random through zones and across lines, and some fight. The same frames go through
the decision stage without and with rules, one after the other in turns; the difference, per frame,
is compared with the time per frame of a replay of a recording on the same machine in the same run.
A replay with so many people takes longer than one of the recording, so the fraction is too high
rather than too low.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console

from pipeline.camera_settings import CameraSettings, KnownActions
from pipeline.config.schema import PipelineConfig, load_config
from pipeline.event_chain import decide_events
from pipeline.events import encode_event
from pipeline.replay import replay_events
from pipeline.stages.decisions import EventStamp
from pipeline.stages.numbering import number_events
from pipeline.telemetry.replay_statistics import ReplayStatistics
from pipeline.types import (
    Frame,
    Prediction,
    RecognizedFrame,
    StreamEnd,
    Subject,
    TrackedFrame,
    TrackedPerson,
)

FPS, WH, STRIDE_FRAMES = 25, (1920, 1080), 12
LABELS = ("walk", "fight")
PLACES = """{gate: {
  zones: {
    door: {points: [[0.1, 0.1], [0.4, 0.1], [0.4, 0.9], [0.1, 0.9]]},
    yard: {points: [[0.5, 0.0], [1.0, 0.0], [1.0, 1.0], [0.5, 1.0]]},
    till: {points: [[0.3, 0.3], [0.6, 0.2], [0.7, 0.8], [0.4, 0.9]]}},
  lines: {fence: {start: [0.5, 0.0], end: [0.5, 1.0]}},
  ground_plane: {
    image: [[0, 0], [1, 0], [1, 1], [0, 1]], metres: [[0, 0], [9, 0], [9, 9], [0, 9]]}}}
"""
KINDS = (
    "{action: fight}",
    "{action: [fight, walk], zone: door, people: 2, min_score: 0.7}",
    "{person: enters, zone: [door, yard], cool_down_s: 20}",
    "{person: dwells, zone: yard, for_s: 10, max_per_hour: 30}",
    "{person: crosses, line: fence}",
    "{more_than: 5, zone: yard, for_s: 2}",
    "{fewer_than: 2, zone: till, for_s: 3}",
    "{closer_than: 0.5, for_s: 2}",
    "{closer_than_m: 0.5, for_s: 2}",
    "{person: leaves, zone: door, after: {action: fight}, within_s: 20, same: zone}",
)


def made_frames(people: int, seconds: float) -> list[RecognizedFrame | StreamEnd]:
    """Make frames of people who walk at random, with a clip of each twice a second."""
    random = np.random.default_rng(0)
    feet = random.uniform((100, 300), WH, (people, 2))
    fights = random.uniform(0, 0.3, people)
    image = np.broadcast_to(np.zeros((1, 1, 1), np.uint8), (WH[1], WH[0], 3))
    items: list[RecognizedFrame | StreamEnd] = []
    for index in range(round(seconds * FPS)):
        feet = np.clip(feet + random.normal(0, 8, feet.shape), (100, 300), WH)
        corners = np.subtract(feet, (40, 200)), np.add(feet, (40, 0))
        boxes = np.concatenate(corners, axis=1).astype(np.float32)
        at = 1e9 + index / FPS
        frame = Frame("gate", index, index / FPS, at, image, at, recorded_at=at)
        seen = tuple(TrackedPerson(one + 1, boxes[one], 0.9) for one in range(people))
        due = [one for one in range(people) if (index + one) % STRIDE_FRAMES == 0]
        fights = np.clip(fights + random.normal(0, 0.05, people), 0, 1)
        predictions = tuple(
            Prediction(
                Subject.person(one + 1),
                boxes[one],
                np.array([1 - fights[one], fights[one]], np.float32),
            )
            for one in due
        )
        tracked = TrackedFrame(frame, seen, (), at, at)
        items.append(RecognizedFrame(tracked, predictions, at, at))
    return [*items, StreamEnd("gate")]


def config_with(rules: int) -> PipelineConfig:
    """Return zones and lines, and so many rules of all kinds."""
    texts = {f"rule{n}": KINDS[n % len(KINDS)] for n in range(rules)}
    written = ", ".join(f"{name}: {text}" for name, text in texts.items())
    cameras = PLACES if rules else "{}"
    return load_config(settings=[f"cameras={cameras}", f"rules={{{written}}}"])


def decided(
    items: list[RecognizedFrame | StreamEnd], config: PipelineConfig
) -> tuple[float, list[str]]:
    """Return the seconds of the decisions, and the events."""
    settings = CameraSettings(config, KnownActions(LABELS))
    stamp = EventStamp("run", "net", wall_clock=False)
    began = time.thread_time()
    found = list(
        number_events(decide_events(items, LABELS, settings, stamp, time.time, live=False))
    )
    seconds = time.thread_time() - began
    return seconds, [encode_event(event) for item in found for event in item.events]


def replay_s(video: Path, frames: int) -> float:
    """Return the seconds of processor time per frame of a replay, without its decoder's."""
    counted = ReplayStatistics()
    run = replay_events([video], sinks=[counted])
    began, began_cpu = time.monotonic(), time.process_time()
    for _ in run:
        if counted.frames >= frames:
            run.close()
            break
    took, cpu = time.monotonic() - began, time.process_time() - began_cpu
    return min(took, cpu) / counted.frames


def main(
    people: Annotated[int, typer.Option(help="In every frame.")] = 30,
    rules: Annotated[int, typer.Option(help="On the camera.")] = 20,
    seconds: Annotated[float, typer.Option(help="Of made frames.")] = 60.0,
    rounds: Annotated[int, typer.Option(help="Of each; the median counts.")] = 5,
    video: Annotated[Path, typer.Option(help="That is replayed.")] = Path("demo/pedestrians.mp4"),
    frames: Annotated[int, typer.Option(help="Of the recording that are replayed.")] = 100,
) -> None:
    """Print the cost per frame without and with rules, of a replay, and the fraction."""
    items, plain, ruled = made_frames(people, seconds), config_with(0), config_with(rules)
    without, with_rules, texts = [], [], set[tuple[str, ...]]()
    for _ in range(rounds):  # in turns, so that a busy machine slows down both
        without.append(decided(items, plain)[0])
        took, events = decided(items, ruled)
        with_rules.append(took)
        texts.add(tuple(events))
    assert len(texts) == 1, "the events differ from run to run"
    each = len(items) - 1
    before, after = (1e3 * statistics.median(times) / each for times in (without, with_rules))
    alarms = sum('"kind":"alarm"' in text and '"phase":"start"' in text for text in texts.pop())
    console = Console()
    console.print(f"{each} frames with {people} people: {before:.3f} ms per frame to decide")
    console.print(f"with {rules} rules: {after:.3f} ms, {alarms} alarms, the same in {rounds} runs")
    whole = 1e3 * replay_s(video, frames)
    console.print(f"a replay of {video.name}: {whole:.1f} ms of processor time per frame")
    console.print(f"the rules are {100 * (after - before) / whole:.2f} % of it")


if __name__ == "__main__":
    typer.run(main)
