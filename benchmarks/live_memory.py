"""Measure the growth of memory with the number of live frames.

python -m benchmarks.live_memory [--frames 200000] [--cameras 4]

Files run at full speed through the live path: decoder processes (one of which is killed every ten
thousand frames), queues, a real tracker, clip buffers, decisions, the outbox and a real Redis. The
detector and the recognizer are stand-ins, so that the frames of months take minutes.
"""

from __future__ import annotations

import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import psutil
import typer
from numpy.typing import NDArray

from models.detections import Detections
from pipeline.config.schema import load_config
from pipeline.delivery.deliver import deliver_events
from pipeline.live.camera_source import CameraSource, parse_source
from pipeline.redis_store.embedded_redis import embedded_redis
from pipeline.stages.ultralytics_trackers import UltralyticsTracker
from testbed.fakes import fake_components
from testbed.live_runs import LiveRun
from testbed.videos_h264 import Image, encode_h264

FPS, SECONDS, WH = 25, 8, (320, 180)
WARM_UP = 0.2  # fraction of the frames before the slope is measured
KILL_EVERY = 10_000


class WalkingPeopleDetector:
    """Detect three people who cross the image again and again, as a stand-in for a network."""

    def __init__(self) -> None:
        self._calls = 0

    def detect(self, images: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        """Return three boxes per image, which advance with each image."""
        self._calls += len(images)
        x_min = [(40 * n + self._calls / 8) % 300 for n in range(3)]
        boxes = np.array([[x, 60, x + 24, 140] for x in x_min], np.float32)
        return [Detections(boxes, np.full(3, 0.9, np.float32)) for _ in images]


def flickering_images() -> Iterator[Image]:
    """Yield images whose brightness alternates, so that actions start and end."""
    rng = np.random.default_rng(0)
    for index in range(FPS * SECONDS):
        level = 220 if index // FPS % 2 else 30
        yield rng.integers(level - 20, level + 20, (WH[1], WH[0], 3)).astype(np.uint8)


def resident_mib() -> tuple[float, float]:
    """Return the resident memory of the process tree and of this process alone, in MiB."""
    process = psutil.Process()
    own = process.memory_info().rss
    children = 0
    for child in process.children(recursive=True):
        try:
            children += child.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return (own + children) / 2**20, own / 2**20


def kill_oldest_decoder() -> None:
    """Send SIGKILL to the oldest decoder process; its camera reconnects."""
    children = psutil.Process().children()
    decoders = [one for one in children if "spawn_main" in " ".join(one.cmdline())]
    if decoders:
        os.kill(min(decoders, key=lambda one: one.create_time()).pid, signal.SIGKILL)


def main(
    frames: Annotated[int, typer.Option(help="Frames of all cameras together.")] = 200_000,
    cameras: Annotated[int, typer.Option(help="Files played concurrently.")] = 4,
) -> None:
    """Run many live frames and print the slope of the memory."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        recording = encode_h264(folder / "camera.mp4", flickering_images(), FPS)
        components = replace(
            fake_components(),
            detector=WalkingPeopleDetector(),
            new_tracker=partial(UltralyticsTracker, "bytetrack", max_age=30),
        )
        source = f"{recording}?live&loop&speed=1000"
        sources: list[CameraSource] = [parse_source(source, f"cam-{n}") for n in range(cameras)]
        url = stack.enter_context(embedded_redis(folder / "redis"))
        redis = load_config().redis
        delivery = deliver_events(url, redis, folder / "outbox", "run", threading.Event())
        run = LiveRun(sources, components, ["live.report_interval_s=0"])
        run.kept = stack.enter_context(delivery)  # type: ignore[assignment]
        samples: list[tuple[float, float, float]] = []
        with run:
            processed = killed_at = 0
            began = time.monotonic()
            while processed < frames:
                time.sleep(0.5)
                processed = sum(one.frames_detected for one in run.snapshot().cameras)
                samples.append((processed, *resident_mib()))
                if processed - killed_at >= KILL_EVERY:
                    killed_at = processed
                    kill_oldest_decoder()
            events, elapsed_s = run.snapshot().events, time.monotonic() - began
            connects = sum(one.connects for one in run.snapshot().cameras)
    kept = np.array([sample for sample in samples if sample[0] > WARM_UP * frames])
    slopes = [float(np.polyfit(kept[:, 0] / 1000, kept[:, column], 1)[0]) for column in (1, 2)]
    print(
        f"{processed} frames of {cameras} cameras in {elapsed_s:.0f} s, {events} events, "
        f"{connects} connections\n"
        f"process tree {kept[0, 1]:.0f} -> {kept[-1, 1]:.0f} MiB, "
        f"{slopes[0]:+.3f} MiB per 1000 frames; "
        f"this process {kept[0, 2]:.0f} -> {kept[-1, 2]:.0f} MiB, {slopes[1]:+.3f}"
    )


if __name__ == "__main__":
    typer.run(main)
