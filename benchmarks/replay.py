"""How much of a replay's time is the models' own, and what the pipeline adds to it.

    python -m benchmarks.replay demo/pedestrians.mp4 [--set detector.weights=...] [--rounds 3]

The whole run and the bare models alternate on the same frames, boxes and clips: bare is one model
after the other in one thread, with everything already in memory. A ratio below 1 means that the
overlap of the stages gains more than decoding, cutting and publishing cost.
"""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from models.boxes import FloatArray
from models.detections import Detections
from models.detectors.appearance import AppearanceEncoder
from pipeline.app import replay
from pipeline.components import Components, build_components
from pipeline.config.schema import PipelineConfig, load_config
from pipeline.config.shipped_files import PROJECT
from pipeline.outputs.sinks import JsonLinesSink
from pipeline.runtime.shutdown import Shutdown
from pipeline.sources.file_decoder import VideoReader
from pipeline.sources.video_files import find_videos
from pipeline.stages.decisions import EventStamp
from pipeline.stages.recognition import ClipScorer
from pipeline.types import Frame, Image, TrackedPerson


@dataclass
class Stopwatch:
    """Seconds spent in each part, by name; calls of one part never overlap."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def measure(self, part: str) -> Iterator[None]:
        """Add the time of the block."""
        started = time.perf_counter()
        yield
        self.seconds[part] = self.seconds.get(part, 0.0) + time.perf_counter() - started


@dataclass
class Work:
    """Every input that a model was given, to give it again."""

    images: list[Sequence[Image]] = field(default_factory=list)
    people: list[tuple[Image, FloatArray]] = field(default_factory=list)
    clips: list[Sequence[Any]] = field(default_factory=list)


@dataclass
class TimedDetector:
    """Measures and remembers."""

    inner: Any
    stopwatch: Stopwatch
    work: Work

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """As the detector."""
        self.work.images.append(images)
        with self.stopwatch.measure("detect"):
            return self.inner.detect(images)  # type: ignore[no-any-return]


@dataclass
class TimedEncoder:
    """Measures and remembers."""

    inner: AppearanceEncoder
    stopwatch: Stopwatch
    work: Work

    def encode(self, image: Image, xyxy: FloatArray) -> FloatArray:
        """As the encoder."""
        self.work.people.append((image, xyxy))
        with self.stopwatch.measure("re-identify"):
            return self.inner.encode(image, xyxy)


@dataclass
class TimedTracker:
    """Measures; what the encoder inside takes is counted there too."""

    inner: Any
    stopwatch: Stopwatch

    def update(
        self, frame: Frame, detections: Detections
    ) -> tuple[tuple[TrackedPerson, ...], tuple[int, ...]]:
        """As the tracker."""
        with self.stopwatch.measure("track, re-identify included"):
            return self.inner.update(frame, detections)  # type: ignore[no-any-return]


@dataclass
class TimedRecognizer:
    """Measures and remembers."""

    inner: Any
    stopwatch: Stopwatch
    work: Work

    def predict(self, clips: Sequence[Any]) -> FloatArray:
        """As the recognizer."""
        self.work.clips.append(clips)
        with self.stopwatch.measure("recognize"):
            return np.asarray(self.inner.predict(clips))


def timed(components: Components, stopwatch: Stopwatch, work: Work) -> Components:
    """The same components, measured."""
    new_tracker: Callable[[], Any] = components.new_tracker
    encoder = encoder_of(components)
    if encoder is not None:
        new_tracker = _with_encoder(new_tracker, TimedEncoder(encoder, stopwatch, work))
    return replace(
        components,
        detector=TimedDetector(components.detector, stopwatch, work),
        new_tracker=lambda: TimedTracker(new_tracker(), stopwatch),
        recognizer=TimedRecognizer(components.recognizer, stopwatch, work),
    )


def encoder_of(components: Components) -> AppearanceEncoder | None:
    """The appearance model that all trackers share; None for trackers without one."""
    arguments = getattr(components.new_tracker, "args", ())
    return next((one for one in arguments if isinstance(one, AppearanceEncoder)), None)


def _with_encoder(factory: Any, encoder: TimedEncoder) -> Callable[[], Any]:
    return lambda: factory.func(encoder, *factory.args[1:], **factory.keywords)


def run_whole(videos: Sequence[str], components: Components, config: PipelineConfig) -> float:
    """Seconds of a replay without the loading of models."""
    with tempfile.TemporaryDirectory() as folder:
        sink = JsonLinesSink(Path(folder) / "events.jsonl")
        stamp = EventStamp("benchmark", components.model_name, wall_clock=True)
        started = time.perf_counter()
        files = find_videos(videos)
        for _ in replay(files, components, config, stamp, [sink], Shutdown()):
            pass
        elapsed_s = time.perf_counter() - started
        sink.close()
    return elapsed_s


def run_bare(components: Components, work: Work) -> float:
    """Seconds of the models alone, one after the other, on what they were given before."""
    encoder, recognizer = encoder_of(components), components.recognizer
    assert isinstance(recognizer, ClipScorer), "crops only: a scene is one call for all its people"
    started = time.perf_counter()

    def work_through() -> None:
        for images in work.images:
            components.detector.detect(images)
        if encoder is not None:
            for image, xyxy in work.people:
                encoder.encode(image, xyxy)
        for clips in work.clips:
            recognizer.predict(clips)

    # In a thread of its own, as in the pipeline: PyTorch keeps its worker threads per thread.
    thread = threading.Thread(target=work_through)
    thread.start()
    thread.join()
    return time.perf_counter() - started


def run_decoding(videos: Sequence[str]) -> float:
    """Seconds to decode the same files alone, in this process."""
    started = time.perf_counter()
    for video in find_videos(videos):
        with closing(VideoReader(video.path)) as reader:
            for _ in reader.frames():
                pass
    return time.perf_counter() - started


def main(
    videos: Annotated[list[str], typer.Argument(help="Files to replay.")],
    rounds: Annotated[int, typer.Option(help="Pairs of whole and bare runs.")] = 3,
    settings: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE")] = None,
) -> None:
    """Print the share of each part and the ratio of the whole run to the bare models."""
    config = load_config(None, settings or ())
    components = build_components(config, PROJECT)
    run_whole(videos, components, config)  # warm-up
    wholes, bares, ratios = [], [], []
    for _ in range(rounds):
        stopwatch, work = Stopwatch(), Work()
        wholes.append(run_whole(videos, timed(components, stopwatch, work), config))
        bares.append(run_bare(components, work))
        ratios.append(wholes[-1] / bares[-1])
    table = Table("part", "seconds", "share of the whole run")
    for part, seconds in stopwatch.seconds.items():
        table.add_row(part, f"{seconds:.1f}", f"{seconds / wholes[-1]:.0%}")
    decoding_s = run_decoding(videos)
    table.add_row("decode (alone)", f"{decoding_s:.1f}", f"{decoding_s / wholes[-1]:.0%}")
    table.add_row("whole run", f"{wholes[-1]:.1f}", "100%")
    Console().print(table)
    frames = sum(len(images) for images in work.images)
    clips = sum(len(batch) for batch in work.clips)
    print(f"{frames} frames, {clips} clips; the components overlap, so the shares exceed 100 %")
    print(f"whole {statistics.median(wholes):.1f} s, bare models {statistics.median(bares):.1f} s")
    shown = ", ".join(f"{ratio:.2f}" for ratio in sorted(ratios))
    print(f"ratio whole to bare: median {statistics.median(ratios):.2f} of {shown}")


if __name__ == "__main__":
    typer.run(main)
