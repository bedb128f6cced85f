"""Whether the latency that events report is true, and stays bounded when compute does not suffice.

python -m benchmarks.live_delay [--video FILE] [--minutes 1] [--slower 1] [--set KEY=VALUE]

Pedestrians with a clock drawn into every picture, from a real RTSP server that notes when it sent
each. The clock is read back from the frames in which events were decided: when was that picture
sent, and how late does its event say it is? With --slower 10 every call of the recognizer takes
ten times as long.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks.storm import FPS, people
from pipeline.components import Components, build_components
from pipeline.config.schema import load_config
from pipeline.config.shipped_files import PROJECT
from pipeline.events import ActionEvent
from pipeline.live.camera_source import parse_source
from pipeline.types import DecidedFrame, Frame
from testbed.live_runs import Kept, LiveRun
from testbed.rtsp_camera import RtspCamera
from testbed.videos_h264 import Image, draw_clock, encode_h264, read_clock

SECONDS = 12
CAMERAS = 2
WARM_UP_S = 12.0  # the first sender report has come by then


@dataclass(slots=True)
class ShownFrames:
    """What the pictures showed, by camera and frame."""

    numbers: dict[tuple[str, int], int] = field(default_factory=dict)

    def read(self, new_tracker: Callable[[], Any]) -> Callable[[], Any]:
        """Trackers that look at the clock in passing."""

        def make() -> Any:
            tracker = new_tracker()
            update = tracker.update

            def look(frame: Frame, detections: Any) -> Any:
                number = read_clock(frame.image)
                if number is not None:
                    self.numbers[frame.camera_id, frame.index] = number
                return update(frame, detections)

            tracker.update = look
            return tracker

        return make


def with_clock(pictures: Iterator[Image]) -> Iterator[Image]:
    """The same pictures, numbered."""
    for number, picture in enumerate(pictures):
        draw_clock(picture, number)
        yield picture


def slowed(components: Components, times: float) -> Components:
    """The same models, with a recognizer that takes so many times as long."""
    recognizer: Any = components.recognizer
    predict = recognizer.predict

    def slow(clips: Sequence[Any]) -> Any:
        began = time.perf_counter()
        scores = predict(clips)
        time.sleep((times - 1) * (time.perf_counter() - began))
        return scores

    recognizer.predict = slow
    return components


def sent_at(log: Path) -> dict[int, np.ndarray]:
    """When each picture of the film was sent, every round: Unix seconds."""
    to_unix = time.time() - time.monotonic()
    found: dict[int, list[float]] = {}
    for line in log.read_text().splitlines():
        index, _, at = line.split()
        found.setdefault(int(index), []).append(float(at) + to_unix)
    return {index: np.array(times) for index, times in found.items()}


def errors_ms(
    kept: Kept, shown: ShownFrames, log: Path, after: float
) -> Iterator[tuple[float, float]]:
    """Of every event: reported and true latency."""
    sent = sent_at(log)
    for item in kept.items:
        if not isinstance(item, DecidedFrame):
            continue
        frame = item.tracked.frame
        number = shown.numbers.get((frame.camera_id, frame.index))
        for event in item.events:
            if number is None or not isinstance(event, ActionEvent) or frame.captured_at < after:
                continue
            reported = event.latency_ms["total"]
            decided_at = frame.captured_at + reported / 1e3
            true = 1e3 * (decided_at - sent[number])
            yield reported, float(true[true > 0].min())


def main(
    video: Annotated[Path, typer.Option(help="With people.")] = PROJECT / "demo/pedestrians.mp4",
    minutes: Annotated[float, typer.Option(help="How long it is watched.")] = 1.0,
    slower: Annotated[float, typer.Option(help="Times that the recognizer takes longer.")] = 1.0,
    settings: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE")] = None,
) -> None:
    """Run the benchmark and print its results."""
    many = ["decision.update_interval_s=0", "decision.start_threshold=0.3"]  # events to look at
    given = [*many, "decision.end_threshold=0.2", *(settings or ())]
    shown = ShownFrames()
    components = build_components(load_config(None, given), PROJECT)
    components = replace(components, new_tracker=shown.read(components.new_tracker))
    if slower != 1.0:
        components = slowed(components, slower)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pictures = with_clock(people(video, (640, 360), SECONDS))
        film = encode_h264(folder / "film.mp4", pictures, FPS, kbps=2000)
        log = folder / "sent"
        with RtspCamera(film, push_log=log) as server:
            names = [f"camera-{n}" for n in range(CAMERAS)]
            sources = [parse_source(server.url, name, detect_fps=5.0) for name in names]
            ages: list[float] = []
            with LiveRun(sources, components, given) as run:
                run.wait_until(lambda: all(run.detected(one) for one in names), 60.0)
                time.sleep(WARM_UP_S)
                after, began = time.time(), time.monotonic()
                while time.monotonic() - began < 60 * minutes:
                    ages += [one.staleness_s for one in run.snapshot().cameras if one.staleness_s]
                    time.sleep(0.1)
                view = run.snapshot()
            pairs = np.array(list(errors_ms(run.kept, shown, log, after)))
    off = pairs[:, 0] - pairs[:, 1]
    reported = np.percentile(pairs[:, 0], (50, 95, 99))
    left_out = f"{view.dropped_clips} clips left out"
    print(f"{len(pairs)} events of {CAMERAS} cameras in {minutes:g} minutes, {left_out}")
    print("reported latency p50 {:.0f}, p95 {:.0f}, p99 {:.0f} ms".format(*reported))
    print(
        f"reported less true: median {np.median(off):+.0f} ms, "
        f"p1 {np.percentile(off, 1):+.0f}, p99 {np.percentile(off, 99):+.0f} ms"
    )
    middle, most = np.median(ages), max(ages)
    print(f"age of frames entering detection: median {middle:.2f} s, at most {most:.2f} s")


if __name__ == "__main__":
    typer.run(main)
