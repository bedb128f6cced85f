"""Measure the time of a replay against that of its models alone.

    python -m benchmarks.replay demo/pedestrians.mp4 [--set detector.weights=...] [--rounds 3]

Replays and runs of the bare models alternate on the same frames, boxes and clips. The bare models
run one after the other in one thread, on inputs in memory. A ratio below 1 means that the
concurrency of the stages saves more time than decoding, cutting clips and writing events take.
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
from pipeline.sources.video_search import find_videos
from pipeline.stages.decisions import EventStamp
from pipeline.stages.recognition import ClipScorer
from pipeline.types import Frame, Image, TrackedPerson


@dataclass
class Stopwatch:
    """Accumulate the seconds per component, by name; calls of one component never overlap."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def measure(self, component: str) -> Iterator[None]:
        """Add the duration of the block to a component."""
        started = time.perf_counter()
        yield
        self.seconds[component] = self.seconds.get(component, 0.0) + time.perf_counter() - started


@dataclass
class RecordedInputs:
    """Inputs of every model call of a replay, recorded for the bare run."""

    images: list[Sequence[Image]] = field(default_factory=list)
    people: list[tuple[Image, FloatArray]] = field(default_factory=list)
    clips: list[Sequence[Any]] = field(default_factory=list)


@dataclass
class TimedDetector:
    """Time a detector and record its inputs."""

    inner: Any
    stopwatch: Stopwatch
    inputs: RecordedInputs

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """Detect as the wrapped detector does."""
        self.inputs.images.append(images)
        with self.stopwatch.measure("detect"):
            return self.inner.detect(images)  # type: ignore[no-any-return]


@dataclass
class TimedEncoder:
    """Time an appearance encoder and record its inputs."""

    inner: AppearanceEncoder
    stopwatch: Stopwatch
    inputs: RecordedInputs

    def encode(self, image: Image, xyxy: FloatArray) -> FloatArray:
        """Encode as the wrapped encoder does."""
        self.inputs.people.append((image, xyxy))
        with self.stopwatch.measure("re-identify"):
            return self.inner.encode(image, xyxy)


@dataclass
class TimedTracker:
    """Time a tracker; the time of its encoder is included."""

    inner: Any
    stopwatch: Stopwatch

    def update(
        self, frame: Frame, detections: Detections
    ) -> tuple[tuple[TrackedPerson, ...], tuple[int, ...]]:
        """Update as the wrapped tracker does."""
        with self.stopwatch.measure("track (with re-identify)"):
            return self.inner.update(frame, detections)  # type: ignore[no-any-return]


@dataclass
class TimedRecognizer:
    """Time a recognizer and record its inputs."""

    inner: Any
    stopwatch: Stopwatch
    inputs: RecordedInputs

    def predict(self, clips: Sequence[Any]) -> FloatArray:
        """Score clips as the wrapped recognizer does."""
        self.inputs.clips.append(clips)
        with self.stopwatch.measure("recognize"):
            return np.asarray(self.inner.predict(clips))


def instrument(components: Components, stopwatch: Stopwatch, inputs: RecordedInputs) -> Components:
    """Wrap the components so that their calls are timed and their inputs recorded."""
    new_tracker: Callable[[], Any] = components.new_tracker
    encoder = encoder_of(components)
    if encoder is not None:
        new_tracker = _with_encoder(new_tracker, TimedEncoder(encoder, stopwatch, inputs))
    return replace(
        components,
        detector=TimedDetector(components.detector, stopwatch, inputs),
        new_tracker=lambda: TimedTracker(new_tracker(), stopwatch),
        recognizer=TimedRecognizer(components.recognizer, stopwatch, inputs),
    )


def encoder_of(components: Components) -> AppearanceEncoder | None:
    """Return the appearance encoder that all trackers share, or None."""
    arguments = getattr(components.new_tracker, "args", ())
    return next((one for one in arguments if isinstance(one, AppearanceEncoder)), None)


def _with_encoder(factory: Any, encoder: TimedEncoder) -> Callable[[], Any]:
    return lambda: factory.func(encoder, *factory.args[1:], **factory.keywords)


def run_replay(videos: Sequence[str], components: Components, config: PipelineConfig) -> float:
    """Replay the videos and return the seconds, model loading excluded."""
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


def run_bare(components: Components, inputs: RecordedInputs) -> float:
    """Run the models one after the other on recorded inputs; return the seconds."""
    encoder, recognizer = encoder_of(components), components.recognizer
    assert isinstance(recognizer, ClipScorer), "only recognizers of person crops are supported"
    started = time.perf_counter()

    def run_models() -> None:
        for images in inputs.images:
            components.detector.detect(images)
        if encoder is not None:
            for image, xyxy in inputs.people:
                encoder.encode(image, xyxy)
        for clips in inputs.clips:
            recognizer.predict(clips)

    # In a separate thread, as in the pipeline: PyTorch has worker threads per calling thread.
    thread = threading.Thread(target=run_models)
    thread.start()
    thread.join()
    return time.perf_counter() - started


def run_decoding(videos: Sequence[str]) -> float:
    """Decode the videos in this process without any model; return the seconds."""
    started = time.perf_counter()
    for video in find_videos(videos):
        with closing(VideoReader(video.path)) as reader:
            for _ in reader.frames():
                pass
    return time.perf_counter() - started


def main(
    videos: Annotated[list[str], typer.Argument(help="Videos to replay.")],
    rounds: Annotated[int, typer.Option(help="Pairs of a replay and a bare run.")] = 3,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a config key.")
    ] = None,
) -> None:
    """Print the time fraction of each component and the ratio of a replay to the bare models."""
    config = load_config(None, settings or ())
    components = build_components(config, PROJECT)
    run_replay(videos, components, config)  # warm-up
    replays_s, bares_s, ratios = [], [], []
    for _ in range(rounds):
        stopwatch, inputs = Stopwatch(), RecordedInputs()
        replays_s.append(run_replay(videos, instrument(components, stopwatch, inputs), config))
        bares_s.append(run_bare(components, inputs))
        ratios.append(replays_s[-1] / bares_s[-1])
    table = Table("component", "seconds", "fraction of the replay")
    for component, seconds in stopwatch.seconds.items():
        table.add_row(component, f"{seconds:.1f}", f"{seconds / replays_s[-1]:.0%}")
    decoding_s = run_decoding(videos)
    table.add_row("decode (alone)", f"{decoding_s:.1f}", f"{decoding_s / replays_s[-1]:.0%}")
    table.add_row("replay", f"{replays_s[-1]:.1f}", "100%")
    Console().print(table)
    frames = sum(len(images) for images in inputs.images)
    clips = sum(len(batch) for batch in inputs.clips)
    print(f"{frames} frames, {clips} clips; components run concurrently: the sum may exceed 100 %")
    replay_s, bare_s = statistics.median(replays_s), statistics.median(bares_s)
    print(f"median: replay {replay_s:.1f} s, bare models {bare_s:.1f} s")
    values = ", ".join(f"{ratio:.2f}" for ratio in sorted(ratios))
    print(f"ratio of replay to bare models: median {statistics.median(ratios):.2f} of {values}")


if __name__ == "__main__":
    typer.run(main)
