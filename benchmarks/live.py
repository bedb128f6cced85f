"""How many live cameras this machine carries, and what takes its time.

python -m benchmarks.live [--video FILE] [--detect-fps 5] [--set KEY=VALUE]

640x360 cameras of 25 fps from a real RTSP server on this machine, more and more of them, until one
of the two promises breaks: 95 % of what is said is late by less than a second, and 95 % of the
frames that were to be looked at are. The shares are seconds of work per second of real time.
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

from benchmarks.storm import FPS, people
from pipeline.components import Components, build_components
from pipeline.config.schema import load_config
from pipeline.config.shipped_files import PROJECT
from pipeline.live.camera_source import parse_source
from pipeline.types import DecidedFrame
from testbed.live_runs import LiveRun
from testbed.rtsp_camera import RtspCamera
from testbed.videos_h264 import encode_h264

WARM_UP_S, MEASURED_S = 8.0, 20.0
WITHIN_S, LOOKED_AT = 1.0, 0.95
COUNTS = (1, 2, 3, 4, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48, 64)


class Busy:
    """Seconds that each part was at work."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def timed(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """The call, with its time added to the part's."""

        def run(*arguments: Any) -> Any:
            began = time.perf_counter()
            try:
                return call(*arguments)
            finally:
                spent = time.perf_counter() - began
                self.seconds[name] = self.seconds.get(name, 0.0) + spent

        return run

    def watch(self, components: Components) -> Components:
        """The same models with their times taken down."""

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
    """What a number of cameras did to the machine."""

    cameras: int
    p50_s: float
    p95_s: float
    looked_at: float  # share of the frames that were to be looked at
    clips_left_out: int
    shares: dict[str, float]  # seconds of work per second
    cpu: float  # cores of ours in use, decoders included

    @property
    def carried(self) -> bool:
        """Whether both promises held."""
        return self.p95_s < WITHIN_S and self.looked_at >= LOOKED_AT


def measure(
    count: int,
    url: str,
    components: Components,
    busy: Busy,
    detect_fps: float,
    settings: Sequence[str],
) -> Load:
    """Run so many cameras for a while."""
    sources = [parse_source(url, f"camera-{n}", detect_fps=detect_fps) for n in range(count)]
    us = psutil.Process()
    with LiveRun(sources, components, settings) as run:
        run.wait_until(
            lambda: sum(one.state == "up" for one in run.snapshot().cameras) == count, 60.0
        )
        time.sleep(WARM_UP_S)
        first, before, begun = len(run.kept.items), run.snapshot(), time.monotonic()
        seconds, (ours, theirs) = dict(busy.seconds), cpu_seconds(us)
        time.sleep(MEASURED_S)
        lasted, after = time.monotonic() - begun, run.snapshot()
        ours_now, theirs_now = cpu_seconds(us)
        items = run.kept.items[first:]
    totals = [
        item.latency_s["total"]
        for item in items
        if isinstance(item, DecidedFrame) and item.latency_s
    ]
    p50_s, p95_s = np.percentile(totals, (50, 95)).tolist() if totals else (np.inf, np.inf)
    came = sum(one.frames_in for one in after.cameras) - sum(c.frames_in for c in before.cameras)
    done = sum(one.frames_detected for one in after.cameras) - sum(
        one.frames_detected for one in before.cameras
    )
    shares = {
        name: (value - seconds.get(name, 0.0)) / lasted for name, value in busy.seconds.items()
    }
    shares["decode"] = (theirs_now - theirs) / lasted
    cpu = (ours_now + theirs_now - ours - theirs) / lasted
    left_out = after.dropped_clips - before.dropped_clips
    return Load(count, p50_s, p95_s, done / max(came, 1), left_out, shares, cpu)


def cpu_seconds(us: psutil.Process) -> tuple[float, float]:
    """Of this process, and of its cameras' processes (the RTSP server is no camera process)."""
    own = us.cpu_times()
    theirs = 0.0
    for child in us.children(recursive=True):
        if "rtsp_server" not in " ".join(child.cmdline()):
            times = child.cpu_times()
            theirs += times.user + times.system
    return own.user + own.system, theirs


def rows(loads: Sequence[Load]) -> Iterator[str]:
    """A table for people."""
    columns = ("decode", "detect", "track", "recognize")
    yield (
        "| cameras | latency p50, p95 | looked at | " + " | ".join(columns) + " | cores | carried |"
    )
    yield "| ---" * (5 + len(columns)) + " |"
    for load in loads:
        shares = " | ".join(f"{load.shares.get(part, 0.0):.2f}" for part in columns)
        yield (
            f"| {load.cameras} | {1e3 * load.p50_s:.0f}, {1e3 * load.p95_s:.0f} ms | "
            f"{100 * load.looked_at:.0f} % | {shares} | {load.cpu:.2f} | "
            f"{'yes' if load.carried else 'no'} |"
        )


def main(
    video: Annotated[Path, typer.Option(help="With people.")] = PROJECT / "demo/pedestrians.mp4",
    detect_fps: Annotated[float, typer.Option(help="As live.detect_fps.")] = 5.0,
    settings: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE")] = None,
) -> None:
    """Run the benchmark and print its results."""
    given = list(settings or ())
    busy = Busy()
    components = busy.watch(build_components(load_config(None, given), PROJECT))
    loads: list[Load] = []
    with tempfile.TemporaryDirectory() as folder:
        film = encode_h264(Path(folder) / "film.mp4", people(video, (640, 360), 12), FPS, kbps=1500)
        with RtspCamera(film) as server:
            for count in itertools.takewhile(lambda n: not loads or loads[-1].carried, COUNTS):
                loads.append(measure(count, server.url, components, busy, detect_fps, given))
                print("\n".join(rows(loads[-1:])), flush=True)
    print("\n".join(rows(loads)))


if __name__ == "__main__":
    typer.run(main)
