"""Measure how many live cameras this machine sustains, and the load of each component.

python -m benchmarks.live [--video FILE] [--detect-fps 5] [--set KEY=VALUE]

Cameras of 640x360 at 25 fps come from a real RTSP server on this machine. Their number increases
until one of two targets is missed: a p95 latency below one second, and 95 % of the sampled frames
processed. The load of a component is its seconds of work per second of real time.
"""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import psutil
import typer

from benchmarks.storm import DEMO_VIDEO, FPS, resized_images
from pipeline.components import Components, build_components
from pipeline.config.schema import load_config
from pipeline.config.shipped_files import PROJECT
from pipeline.live.camera_source import parse_source
from pipeline.types import DecidedFrame
from testbed.live_runs import LiveRun
from testbed.rtsp_camera import RtspCamera
from testbed.videos_h264 import encode_h264

WARM_UP_S, MEASURED_S = 8.0, 20.0
MAX_P95_S, MIN_PROCESSED = 1.0, 0.95
COUNTS = (1, 2, 3, 4, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48, 64)


class BusyTime:
    """Accumulate the seconds that each component is busy."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def timed(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a call so that its duration is added to the component `name`."""

        def run(*arguments: Any) -> Any:
            began = time.perf_counter()
            try:
                return call(*arguments)
            finally:
                spent = time.perf_counter() - began
                self.seconds[name] = self.seconds.get(name, 0.0) + spent

        return run

    def instrument(self, components: Components) -> Components:
        """Return the components with their calls timed."""

        def new_tracker() -> Any:
            tracker = components.new_tracker()
            tracker.update = self.timed("track", tracker.update)  # type: ignore[method-assign]
            return tracker

        detector, recognizer = components.detector, components.recognizer
        detector.detect = self.timed("detect", detector.detect)  # type: ignore[method-assign]
        name = "predict" if hasattr(recognizer, "predict") else "predict_scene"
        setattr(recognizer, name, self.timed("recognize", getattr(recognizer, name)))
        return replace(components, new_tracker=new_tracker)


@dataclass(frozen=True, slots=True)
class Load:
    """Load and latency at one number of cameras."""

    cameras: int
    p50_s: float
    p95_s: float
    processed_fraction: float  # of the sampled frames
    dropped_clips: int
    busy_per_s: dict[str, float]  # seconds of work per second, by component
    cores: float  # CPU seconds per second of this process and its decoders

    @property
    def sustained(self) -> bool:
        """Return whether both targets were met."""
        return self.p95_s < MAX_P95_S and self.processed_fraction >= MIN_PROCESSED


def measure(
    count: int,
    url: str,
    components: Components,
    busy: BusyTime,
    detect_fps: float,
    settings: Sequence[str],
) -> Load:
    """Run `count` cameras for the warm-up and the measured time.

    Args:
        count: number of cameras.
        url: RTSP URL that all of them read.
        components: components instrumented by `busy`.
        busy: accumulated busy time, read before and after the measured time.
        detect_fps: sampled frames per second and camera.
        settings: config overrides, KEY=VALUE.
    """
    sources = [parse_source(url, f"camera-{n}", detect_fps=detect_fps) for n in range(count)]
    process = psutil.Process()
    with LiveRun(sources, components, settings) as run:
        run.wait_until(
            lambda: sum(one.state == "up" for one in run.snapshot().cameras) == count, 60.0
        )
        time.sleep(WARM_UP_S)
        first, before, began = len(run.kept.items), run.snapshot(), time.monotonic()
        busy_before, (own_before, decoders_before) = dict(busy.seconds), cpu_seconds(process)
        time.sleep(MEASURED_S)
        elapsed_s, after = time.monotonic() - began, run.snapshot()
        own_after, decoders_after = cpu_seconds(process)
        items = run.kept.items[first:]
    totals = [
        item.latency_s["total"]
        for item in items
        if isinstance(item, DecidedFrame) and item.latency_s
    ]
    p50_s, p95_s = np.percentile(totals, (50, 95)).tolist() if totals else (np.inf, np.inf)
    sampled = sum(c.frames_in for c in after.cameras) - sum(c.frames_in for c in before.cameras)
    processed = sum(c.frames_detected for c in after.cameras) - sum(
        c.frames_detected for c in before.cameras
    )
    busy_per_s = {
        name: (seconds - busy_before.get(name, 0.0)) / elapsed_s
        for name, seconds in busy.seconds.items()
    }
    busy_per_s["decode"] = (decoders_after - decoders_before) / elapsed_s
    return Load(
        cameras=count,
        p50_s=p50_s,
        p95_s=p95_s,
        processed_fraction=processed / max(sampled, 1),
        dropped_clips=after.dropped_clips - before.dropped_clips,
        busy_per_s=busy_per_s,
        cores=(own_after + decoders_after - own_before - decoders_before) / elapsed_s,
    )


def cpu_seconds(process: psutil.Process) -> tuple[float, float]:
    """Return the CPU seconds of a process and of its decoders, the RTSP server excluded."""
    own = process.cpu_times()
    decoders_s = 0.0
    for child in process.children(recursive=True):
        if "rtsp_server" not in " ".join(child.cmdline()):
            times = child.cpu_times()
            decoders_s += times.user + times.system
    return own.user + own.system, decoders_s


def rows(loads: Sequence[Load]) -> Iterator[str]:
    """Yield the lines of a Markdown table of the results."""
    columns = ("decode", "detect", "track", "recognize")
    names = " | ".join(columns)
    yield f"| cameras | latency p50, p95 | processed | {names} | cores | sustained |"
    yield "| ---" * (5 + len(columns)) + " |"
    for load in loads:
        busy = " | ".join(f"{load.busy_per_s.get(name, 0.0):.2f}" for name in columns)
        yield (
            f"| {load.cameras} | {1e3 * load.p50_s:.0f}, {1e3 * load.p95_s:.0f} ms | "
            f"{100 * load.processed_fraction:.0f} % | {busy} | {load.cores:.2f} | "
            f"{'yes' if load.sustained else 'no'} |"
        )


def main(
    video: Annotated[Path, typer.Option(help="Video that shows people.")] = DEMO_VIDEO,
    detect_fps: Annotated[float, typer.Option(help="Sampled frames per second and camera.")] = 5.0,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a config key.")
    ] = None,
) -> None:
    """Measure latency and load at an increasing number of cameras."""
    overrides = list(settings or ())
    busy = BusyTime()
    components = busy.instrument(build_components(load_config(None, overrides), PROJECT))
    loads: list[Load] = []
    with tempfile.TemporaryDirectory() as folder:
        images = resized_images(video, (640, 360), 12)
        recording = encode_h264(Path(folder) / "camera.mp4", images, FPS, kbps=1500)
        with RtspCamera(recording) as server:
            for count in itertools.takewhile(lambda _: not loads or loads[-1].sustained, COUNTS):
                loads.append(measure(count, server.url, components, busy, detect_fps, overrides))
                print("\n".join(rows(loads[-1:])), flush=True)
    print("\n".join(rows(loads)))


if __name__ == "__main__":
    typer.run(main)
