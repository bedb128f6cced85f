"""Measure the error of the latency that events report, also when the recognizer is overloaded.

python -m benchmarks.live_delay [--video FILE] [--minutes 1] [--slower 1] [--set KEY=VALUE]

A real RTSP server streams pedestrians with a frame number drawn into each image, and logs the time
at which it sends each frame. The number is read back from the frames at which events are decided,
so that the reported latency can be compared with the true one. With --slower 10 each call of the
recognizer takes ten times as long.
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

from benchmarks.storm import DEMO_VIDEO, FPS, resized_images
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
WARM_UP_S = 12.0  # the first RTCP sender report arrives within this time


@dataclass(slots=True)
class ClockReadings:
    """Frame numbers read from the images, by camera id and frame index."""

    numbers: dict[tuple[str, int], int] = field(default_factory=dict)

    def instrument(self, new_tracker: Callable[[], Any]) -> Callable[[], Any]:
        """Return a factory of trackers that also read the number in each frame."""

        def make() -> Any:
            tracker = new_tracker()
            update = tracker.update

            def read_and_update(frame: Frame, detections: Any) -> Any:
                number = read_clock(frame.image)
                if number is not None:
                    self.numbers[frame.camera_id, frame.index] = number
                return update(frame, detections)

            tracker.update = read_and_update
            return tracker

        return make


def with_clock(images: Iterator[Image]) -> Iterator[Image]:
    """Draw its number into each image, in place."""
    for number, image in enumerate(images):
        draw_clock(image, number)
        yield image


def slow_down(components: Components, factor: float) -> Components:
    """Make each call of the recognizer take `factor` times as long, in place."""
    recognizer: Any = components.recognizer
    predict = recognizer.predict

    def slow(clips: Sequence[Any]) -> Any:
        began = time.perf_counter()
        scores = predict(clips)
        time.sleep((factor - 1) * (time.perf_counter() - began))
        return scores

    recognizer.predict = slow
    return components


def send_times(log: Path) -> dict[int, np.ndarray]:
    """Read at which Unix times, in seconds, each frame of the looped recording was sent."""
    to_unix = time.time() - time.monotonic()
    times: dict[int, list[float]] = {}
    for line in log.read_text().splitlines():
        index, _, sent_at = line.split()
        times.setdefault(int(index), []).append(float(sent_at) + to_unix)
    return {index: np.array(values) for index, values in times.items()}


def latencies_ms(
    kept: Kept, readings: ClockReadings, log: Path, after: float
) -> Iterator[tuple[float, float]]:
    """Yield the reported and the true latency of each action event, in milliseconds.

    Args:
        kept: the items of the run.
        readings: frame numbers read during the run.
        log: the server's log of send times.
        after: Unix time in seconds; events of frames captured earlier are skipped.
    """
    sent = send_times(log)
    for item in kept.items:
        if not isinstance(item, DecidedFrame):
            continue
        frame = item.tracked.frame
        number = readings.numbers.get((frame.camera_id, frame.index))
        for event in item.events:
            if number is None or not isinstance(event, ActionEvent) or frame.captured_at < after:
                continue
            reported = event.latency_ms["total"]
            decided_at = frame.captured_at + reported / 1e3
            true = 1e3 * (decided_at - sent[number])
            yield reported, float(true[true > 0].min())


def main(
    video: Annotated[Path, typer.Option(help="Video that shows people.")] = DEMO_VIDEO,
    minutes: Annotated[float, typer.Option(help="Measured time after the warm-up.")] = 1.0,
    slower: Annotated[float, typer.Option(help="Factor on the recognizer's time.")] = 1.0,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a config key.")
    ] = None,
) -> None:
    """Run live cameras and compare the reported latency with the true one."""
    many_events = [
        "decision.update_interval_s=0",
        "decision.start_threshold=0.3",
        "decision.end_threshold=0.2",
    ]
    overrides = [*many_events, *(settings or ())]
    readings = ClockReadings()
    components = build_components(load_config(None, overrides), PROJECT)
    components = replace(components, new_tracker=readings.instrument(components.new_tracker))
    if slower != 1.0:
        components = slow_down(components, slower)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        images = with_clock(resized_images(video, (640, 360), SECONDS))
        recording = encode_h264(folder / "camera.mp4", images, FPS, kbps=2000)
        log = folder / "sent"
        with RtspCamera(recording, push_log=log) as server:
            names = [f"camera-{n}" for n in range(CAMERAS)]
            sources = [parse_source(server.url, name, detect_fps=5.0) for name in names]
            ages_s: list[float] = []
            with LiveRun(sources, components, overrides) as run:
                run.wait_until(lambda: all(run.detected(one) for one in names), 60.0)
                time.sleep(WARM_UP_S)
                after, began = time.time(), time.monotonic()
                while time.monotonic() - began < 60 * minutes:
                    ages_s += [one.staleness_s for one in run.snapshot().cameras if one.staleness_s]
                    time.sleep(0.1)
                snapshot = run.snapshot()
            pairs = np.array(list(latencies_ms(run.kept, readings, log, after)))
    error_ms = pairs[:, 0] - pairs[:, 1]
    reported = np.percentile(pairs[:, 0], (50, 95, 99))
    dropped = f"{snapshot.dropped_clips} clips dropped"
    print(f"{len(pairs)} events of {CAMERAS} cameras in {minutes:g} minutes, {dropped}")
    print("reported latency p50 {:.0f}, p95 {:.0f}, p99 {:.0f} ms".format(*reported))
    print(
        f"reported minus true latency: median {np.median(error_ms):+.0f} ms, "
        f"p1 {np.percentile(error_ms, 1):+.0f}, p99 {np.percentile(error_ms, 99):+.0f} ms"
    )
    print(
        f"age of frames entering detection: median {np.median(ages_s):.2f} s, "
        f"maximum {max(ages_s):.2f} s"
    )


if __name__ == "__main__":
    typer.run(main)
