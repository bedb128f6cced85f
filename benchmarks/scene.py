"""Measure the compute time of person crops against that of scene clips, by number of people.

    python -m benchmarks.scene [--people 1,2,4,8,16] [--rounds 2] [--size 1280x720] [--json FILE]

Both modes run the stages of the pipeline that cut and recognize clips, with SlowFast R50 8x8 on
each backend: on crops of 224 pixels, and with a RoI head on scenes whose shorter side is 256
pixels. Random weights and a synthetic video of standing people do not affect the time. Detection
and tracking take the same time in both modes and are excluded.
"""

from __future__ import annotations

import json
import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from rich.console import Console
from rich.table import Table

from models.inference.action_recognizer import ActionRecognizer
from models.inference.device import Backend
from models.inference.scene_recognizer import SceneRecognizer
from models.slowfast.input_spec import InputSpec
from models.slowfast.recognizer3d import Recognizer3D
from models.slowfast.zoo import slowfast_r50_8x8, slowfast_r50_8x8_ava
from pipeline.stages.clip_sampling import ClipSpec
from pipeline.stages.clips import cut_clips
from pipeline.stages.recognition import recognize_actions, recognize_scenes
from pipeline.stages.scene_clips import cut_scenes
from pipeline.types import ClippedFrame, Frame, StreamEnd, TrackedFrame, TrackedPerson

NUM_CLASSES = 80  # as AVA
FPS, STRIDE_S = 25.0, 0.5
BACKENDS: tuple[Backend, ...] = ("torch", "openvino")

Clipped = ClippedFrame | StreamEnd


@dataclass(frozen=True, slots=True)
class RecognitionMode:
    """The stages of one mode: cut the clips of a video, and score the clips that are due."""

    cut: Callable[[Sequence[TrackedFrame]], Iterator[Clipped]]
    recognize: Callable[[Sequence[Clipped]], list[object]]


@dataclass(frozen=True, slots=True)
class ComputeTime:
    """Seconds of computing per second of video."""

    cutting_s: float
    recognizing_s: float

    @property
    def total_s(self) -> float:
        """Return the time of cutting and recognizing together."""
        return self.cutting_s + self.recognizing_s


def build_modes(device: str) -> dict[str, RecognitionMode]:
    """Build crops and scenes for each backend of a device, by name: "crops, torch"."""
    torch.manual_seed(0)
    crops, scenes = slowfast_r50_8x8(NUM_CLASSES).eval(), slowfast_r50_8x8_ava(NUM_CLASSES).eval()
    crops.input_spec = replace(crops.input_spec, crop_size=224)
    scenes.input_spec = replace(scenes.input_spec, crop_size=256)
    backends = BACKENDS if device == "cpu" else BACKENDS[:1]
    modes = {f"crops, {name}": _crop_mode(crops, device, name) for name in backends}
    modes |= {f"scene, {name}": _scene_mode(scenes, device, name) for name in backends}
    return modes


def _scene_mode(model: Recognizer3D, device: str, backend: Backend) -> RecognitionMode:
    recognizer = SceneRecognizer(model, device=device, backend=backend)
    spec = _clip_spec(recognizer.spec)
    return RecognitionMode(
        lambda frames: cut_scenes(frames, spec, time.time, stride_s=STRIDE_S),
        lambda due: list(recognize_scenes([due], recognizer, time.time)),
    )


def _crop_mode(model: Recognizer3D, device: str, backend: Backend) -> RecognitionMode:
    recognizer = ActionRecognizer(model, device=device, backend=backend)
    spec = _clip_spec(recognizer.spec)
    return RecognitionMode(
        lambda frames: cut_clips(frames, spec, time.time, stride_s=STRIDE_S),
        lambda due: list(recognize_actions([due], recognizer, time.time)),
    )


def _clip_spec(spec: InputSpec) -> ClipSpec:
    return ClipSpec(spec.clip_len, spec.interval_s, spec.crop_size, spec.crop_margin, 0.5)


def standing_people(people: int, wh: tuple[int, int]) -> list[TrackedFrame]:
    """Create slightly more than one clip of tracked frames of (width, height) pixels."""
    image = np.random.default_rng(0).integers(0, 256, (wh[1], wh[0], 3), dtype=np.uint8)
    tracked = tuple(TrackedPerson(n, _box(n, people, wh), 0.9) for n in range(people))
    seconds = 31 * 2 / 30 + 2 / FPS
    frames = (Frame("gate", n, n / FPS, 0.0, image, 0.0) for n in range(math.ceil(seconds * FPS)))
    return [TrackedFrame(frame, tracked, (), 0.0, 0.0) for frame in frames]


def _box(index: int, people: int, wh: tuple[int, int]) -> np.ndarray:
    """Return the box of a standing person, a third of the image high; xyxy in pixels."""
    width, height = wh[1] / 9, wh[1] / 3
    x = (wh[0] - width) * index / max(1, people - 1)
    return np.array([x, height, x + width, 2 * height], np.float32)


def measure(mode: RecognitionMode, frames: Sequence[TrackedFrame]) -> ComputeTime:
    """Time cutting on all frames and recognition on the first frame with due clips."""
    started = time.perf_counter()
    items = list(mode.cut(frames))
    cutting_s = (time.perf_counter() - started) / (len(frames) / FPS)
    due = next(
        item for item in items if isinstance(item, ClippedFrame) and (item.clips or item.scene)
    )
    started = time.perf_counter()
    mode.recognize([due])
    return ComputeTime(cutting_s, (time.perf_counter() - started) / STRIDE_S)


def measure_modes(
    modes: dict[str, RecognitionMode], people: int, wh: tuple[int, int], rounds: int
) -> dict[str, ComputeTime]:
    """Run all modes in turn for some rounds; return the median times, by mode."""
    frames = standing_people(people, wh)
    results = [{name: measure(mode, frames) for name, mode in modes.items()} for _ in range(rounds)]
    return {
        name: ComputeTime(
            statistics.median(result[name].cutting_s for result in results),
            statistics.median(result[name].recognizing_s for result in results),
        )
        for name in modes
    }


def break_even(by_people: dict[int, dict[str, ComputeTime]], name: str) -> str:
    """Return at how many people crops take as long as scenes, by a linear fit of the crops."""
    counts = list(by_people)
    inputs, _, backend = name.partition(", ")
    if inputs == "scene":
        return ""
    if len(counts) < 2:
        return "needs two numbers of people"
    per_person_s, base_s = np.polyfit(counts, [by_people[n][name].total_s for n in counts], 1)
    scene_s = statistics.median(by_people[n][f"scene, {backend}"].total_s for n in counts)
    return f"{(scene_s - base_s) / per_person_s:.1f} people"


def main(
    people: Annotated[str, typer.Option(help="Numbers of people, comma-separated.")] = "1,2,4,8,16",
    rounds: Annotated[int, typer.Option(min=1, help="Measured rounds.")] = 2,
    size: Annotated[str, typer.Option(help="Width x height of the frames in pixels.")] = "1280x720",
    device: Annotated[str, typer.Option(help="cpu or cuda:N.")] = "cpu",
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the results to this file.")
    ] = None,
) -> None:
    """Print the seconds of computing per second of video, by mode and number of people."""
    width, height = map(int, size.split("x"))
    modes = build_modes(device)
    measure_modes(modes, 1, (width, height), rounds=1)  # warm-up
    by_people = {
        count: measure_modes(modes, count, (width, height), rounds)
        for count in map(int, people.split(","))
    }
    table = Table("people", *modes, title="seconds per second of video (of which cutting)")
    for count, row in by_people.items():
        cells = (f"{row[name].total_s:.2f} ({row[name].cutting_s:.3f})" for name in modes)
        table.add_row(str(count), *cells)
    table.add_row("break-even with scenes", *(break_even(by_people, name) for name in modes))
    Console().print(table)
    if json_file is not None:
        rows = [
            {
                "people": count,
                "mode": name,
                "s_per_s": spent.total_s,
                "cutting_s_per_s": spent.cutting_s,
            }
            for count, row in by_people.items()
            for name, spent in row.items()
        ]
        json_file.write_text(
            json.dumps({"size": size, "rounds": rounds, "results": rows}, indent=1)
        )


if __name__ == "__main__":
    typer.run(main)
