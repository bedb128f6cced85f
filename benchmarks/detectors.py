"""Measure the speed of person detectors, in frames per second, on one video.

python -m benchmarks.detectors pedestrians.mp4 compact builtin YOLO_FOLDER

Rounds alternate between the detectors, so that load on the machine affects all of them; the fastest
round of each is reported. Decoding is not timed. For one core: taskset -c 0 python -m ...
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

CONFIDENCE = 0.4  # the pipeline's default of detector.confidence


@dataclass(frozen=True, slots=True)
class DetectorSpeed:
    """Speed of one detector at batch size 1."""

    weights: str
    description: str
    best_ms: float  # per frame, median of the fastest round
    median_ms: float  # per frame, over all rounds

    @property
    def fps(self) -> float:
        """Return the frames per second of the fastest round."""
        return 1000 / self.best_ms


def read_images(video: Path, count: int) -> list[Image]:
    """Decode the first `count` frames of a video, each (height, width, 3) uint8 in BGR order."""
    with closing(VideoReader(video)) as reader:
        return [frame.image for _, frame in zip(range(count), reader.frames(), strict=False)]


def time_round(detector: PersonDetector, images: Sequence[Image]) -> list[float]:
    """Run the detector on one image at a time; return the milliseconds of each call."""
    spent_ms = []
    for image in images:
        started = time.perf_counter()
        detector.detect([image])
        spent_ms.append(1000 * (time.perf_counter() - started))
    return spent_ms


def main(
    video: Annotated[Path, typer.Argument(help="Video to run the detectors on.", exists=True)],
    weights: Annotated[
        list[str], typer.Argument(help="compact, builtin, or a path, once per detector.")
    ],
    frames: Annotated[int, typer.Option(help="Frames of the video per round.")] = 30,
    rounds: Annotated[int, typer.Option(help="Rounds per detector.")] = 5,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the results to this file.")
    ] = None,
) -> None:
    """Time person detectors on a video at batch size 1."""
    images = read_images(video, frames)
    detectors = {name: build_cpu_detector(name, CONFIDENCE) for name in weights}
    rounds_ms: dict[str, list[list[float]]] = {name: [] for name in weights}
    for _ in range(rounds):
        for name, detector in detectors.items():
            rounds_ms[name].append(time_round(detector, images))
    speeds = [
        DetectorSpeed(
            name,
            detectors[name].description,
            min(map(statistics.median, rounds_ms[name])),
            statistics.median(ms for round_ms in rounds_ms[name] for ms in round_ms),
        )
        for name in weights
    ]
    height, width = images[0].shape[:2]
    Console(width=120).print(_table(speeds, f"{video.name}, {width}x{height}"))
    if json_file is not None:
        json_file.write_text(
            json.dumps([asdict(one) | {"fps": one.fps} for one in speeds], indent=2)
        )


def _table(speeds: Sequence[DetectorSpeed], title: str) -> Table:
    table = Table("detector", title=title)
    for heading in ("frames per second", "ms per frame", "ms per frame, all rounds"):
        table.add_column(heading, justify="right")
    for speed in speeds:
        cells = (f"{value:.1f}" for value in (speed.fps, speed.best_ms, speed.median_ms))
        table.add_row(speed.description, *cells)
    return table


if __name__ == "__main__":
    typer.run(main)
