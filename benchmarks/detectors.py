"""Frames per second of person detectors on one video, side by side.

python -m benchmarks.detectors pedestrians.mp4 compact builtin YOLO_FOLDER

Rounds alternate between the detectors, so that a busy machine slows all of them down; the fastest
round of each counts. Decoding is not timed. On one core: taskset -c 0 python -m ...
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from pipeline.sources.file_decoder import VideoReader
from pipeline.stages.detection import PersonDetector
from pipeline.types import Image
from training.detector.evaluate import build_cpu_detector

CONFIDENCE = 0.4  # detector.confidence of the pipeline


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast one detector is."""

    weights: str
    description: str
    best_ms: float  # per frame, the median of the fastest round
    median_ms: float  # per frame, over all rounds

    @property
    def fps(self) -> float:
        """Frames per second of the fastest round."""
        return 1000 / self.best_ms


def read_frames(video: Path, count: int) -> list[Image]:
    """The first frames of a video."""
    with closing(VideoReader(video)) as reader:
        return [picture.image for _, picture in zip(range(count), reader.frames(), strict=False)]


def time_round(detector: PersonDetector, frames: Sequence[Image]) -> list[float]:
    """Milliseconds of each frame, one at a time."""
    spent = []
    for frame in frames:
        started = time.perf_counter()
        detector.detect([frame])
        spent.append(1000 * (time.perf_counter() - started))
    return spent


def main(
    video: Annotated[Path, typer.Argument(help="Any video.", exists=True)],
    weights: Annotated[list[str], typer.Argument(help="compact, builtin, or a path.")],
    frames: Annotated[int, typer.Option(help="Of the video, each round.")] = 30,
    rounds: Annotated[int, typer.Option(help="Of each detector.")] = 5,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the numbers here.")
    ] = None,
) -> None:
    """Time person detectors on a video, one frame after the other."""
    pictures = read_frames(video, frames)
    detectors = {one: build_cpu_detector(one, CONFIDENCE) for one in weights}
    spent: dict[str, list[list[float]]] = {one: [] for one in weights}
    for _ in range(rounds):
        for one, detector in detectors.items():
            spent[one].append(time_round(detector, pictures))
    paces = [
        Pace(
            one,
            detectors[one].description,
            min(map(statistics.median, spent[one])),
            statistics.median(ms for own in spent[one] for ms in own),
        )
        for one in weights
    ]
    height, width = pictures[0].shape[:2]
    Console(width=120).print(_table(paces, f"{video.name}, {width}x{height}"))
    if json_file is not None:
        json_file.write_text(json.dumps([asdict(p) | {"fps": p.fps} for p in paces], indent=2))


def _table(paces: Sequence[Pace], title: str) -> Table:
    table = Table("detector", title=title)
    for heading in ("frames per second", "ms", "ms, all rounds"):
        table.add_column(heading, justify="right")
    for pace in paces:
        ms = (f"{value:.1f}" for value in (pace.fps, pace.best_ms, pace.median_ms))
        table.add_row(pace.description, *ms)
    return table


if __name__ == "__main__":
    typer.run(main)
