"""What a second of video costs, clips per person against one clip of the scene, by head count.

    python -m benchmarks.scene [--people 1,2,4,8,16] [--rounds 2] [--size 1280x720] [--json FILE]

Both sides run the pipeline's own stages, cutting and recognizing, on SlowFast R50 8x8: at crops of
224 pixels, and with a RoI head at scenes whose shorter side is 256 pixels, each by each backend.
Random weights, a made film whose people stand still: neither changes the time. Detecting and
tracking cost the same in both modes and are left out.
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

NUM_CLASSES = 80  # AVA's
FPS, STRIDE_S = 25.0, 0.5
BACKENDS: tuple[Backend, ...] = ("torch", "openvino")

Film = Sequence[TrackedFrame]
Clipped = ClippedFrame | StreamEnd


@dataclass(frozen=True, slots=True)
class Way:
    """One mode: what cuts the film, and what scores the frames at which clips are due."""

    cut: Callable[[Film], Iterator[Clipped]]
    recognize: Callable[[Sequence[Clipped]], list[object]]


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one second of video."""

    cutting_s: float
    recognizing_s: float

    @property
    def all_s(self) -> float:
        """Seconds of computing."""
        return self.cutting_s + self.recognizing_s


def ways(device: str) -> dict[str, Way]:
    """Crops by every backend, then scenes."""
    torch.manual_seed(0)
    crops, scenes = slowfast_r50_8x8(NUM_CLASSES).eval(), slowfast_r50_8x8_ava(NUM_CLASSES).eval()
    crops.input_spec = replace(crops.input_spec, crop_size=224)
    scenes.input_spec = replace(scenes.input_spec, crop_size=256)
    backends = BACKENDS if device == "cpu" else BACKENDS[:1]
    found = {f"crops, {name}": _crop_way(crops, device, name) for name in backends}
    found |= {f"scene, {name}": _scene_way(scenes, device, name) for name in backends}
    return found


def _scene_way(model: Recognizer3D, device: str, backend: Backend) -> Way:
    recognizer = SceneRecognizer(model, device=device, backend=backend)
    spec = _clip_spec(recognizer.spec)
    return Way(
        lambda film: cut_scenes(film, spec, time.time, stride_s=STRIDE_S),
        lambda due: list(recognize_scenes([due], recognizer, time.time)),
    )


def _crop_way(model: Recognizer3D, device: str, backend: Backend) -> Way:
    recognizer = ActionRecognizer(model, device=device, backend=backend)
    spec = _clip_spec(recognizer.spec)
    return Way(
        lambda film: cut_clips(film, spec, time.time, stride_s=STRIDE_S),
        lambda due: list(recognize_actions([due], recognizer, time.time)),
    )


def _clip_spec(spec: InputSpec) -> ClipSpec:
    return ClipSpec(spec.clip_len, spec.interval_s, spec.crop_size, spec.crop_margin, 0.5)


def film_of(people: int, wh: tuple[int, int]) -> list[TrackedFrame]:
    """Just over one clip of a camera before which so many people stand."""
    image = np.random.default_rng(0).integers(0, 256, (wh[1], wh[0], 3), dtype=np.uint8)
    tracked = tuple(TrackedPerson(n, _box(n, people, wh), 0.9) for n in range(people))
    seconds = 31 * 2 / 30 + 2 / FPS
    frames = (Frame("gate", n, n / FPS, 0.0, image, 0.0) for n in range(math.ceil(seconds * FPS)))
    return [TrackedFrame(frame, tracked, (), 0.0, 0.0) for frame in frames]


def _box(index: int, people: int, wh: tuple[int, int]) -> np.ndarray:
    """A standing person, a third of the image tall; side by side as far as they fit."""
    width, height = wh[1] / 9, wh[1] / 3
    x = (wh[0] - width) * index / max(1, people - 1)
    return np.array([x, height, x + width, 2 * height], np.float32)


def measure(way: Way, film: Film) -> Cost:
    """One pass: all frames cut, and the first frame with due clips recognized."""
    started = time.perf_counter()
    cut = list(way.cut(film))
    cutting_s = (time.perf_counter() - started) / (len(film) / FPS)
    due = next(
        item for item in cut if isinstance(item, ClippedFrame) and (item.clips or item.scene)
    )
    started = time.perf_counter()
    way.recognize([due])
    return Cost(cutting_s, (time.perf_counter() - started) / STRIDE_S)


def costs(found: dict[str, Way], people: int, wh: tuple[int, int], rounds: int) -> dict[str, Cost]:
    """Medians of all ways in turn."""
    film = film_of(people, wh)
    passes = [{name: measure(way, film) for name, way in found.items()} for _ in range(rounds)]
    return {
        name: Cost(
            statistics.median(each[name].cutting_s for each in passes),
            statistics.median(each[name].recognizing_s for each in passes),
        )
        for name in found
    }


def break_even(by_people: dict[int, dict[str, Cost]], name: str) -> str:
    """Where the line through the crops' costs meets the cost of scenes by the same backend."""
    heads = list(by_people)
    mode, _, backend = name.partition(", ")
    if mode == "scene":
        return ""
    if len(heads) < 2:
        return "needs two head counts"
    per_head, base = np.polyfit(heads, [by_people[n][name].all_s for n in heads], 1)
    scene = statistics.median(by_people[n][f"scene, {backend}"].all_s for n in heads)
    return f"{(scene - base) / per_head:.1f} people"


def main(
    people: Annotated[str, typer.Option(help="Head counts, separated by commas.")] = "1,2,4,8,16",
    rounds: Annotated[int, typer.Option(min=1)] = 2,
    size: Annotated[str, typer.Option(help="Of the camera's image.")] = "1280x720",
    device: Annotated[str, typer.Option(help="cpu or cuda:N.")] = "cpu",
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the numbers.")] = None,
) -> None:
    """Print a table of seconds of computing per second of video."""
    width, height = map(int, size.split("x"))
    found = ways(device)
    costs(found, 1, (width, height), rounds=1)  # warms up
    by_people = {
        count: costs(found, count, (width, height), rounds) for count in map(int, people.split(","))
    }
    table = Table("people", *found, title="s per s of video (of it: cutting)")
    for count, row in by_people.items():
        cells = (f"{row[name].all_s:.2f} ({row[name].cutting_s:.3f})" for name in found)
        table.add_row(str(count), *cells)
    table.add_row("even with scene", *(break_even(by_people, name) for name in found))
    out = Console()
    out.print(table)
    if json_file is not None:
        rows = [
            {"people": count, "way": name, "s_per_s": cost.all_s, "cutting_s_per_s": cost.cutting_s}
            for count, row in by_people.items()
            for name, cost in row.items()
        ]
        json_file.write_text(
            json.dumps({"size": size, "rounds": rounds, "results": rows}, indent=1)
        )


if __name__ == "__main__":
    typer.run(main)
