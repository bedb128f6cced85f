"""Measure how live cameras recover from faults, and the effect on the other cameras.

python -m benchmarks.storm [--minutes 30] [--video FILE] [--json FILE] [--set KEY=VALUE]

Four cameras are served by real RTSP servers (GStreamer) with a video of pedestrians, and processed
by the real `live` command with its embedded Redis. Faults are injected into one camera after the
other; one camera has none and must not be affected. Recovery is measured from the end of each
fault.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from itertools import cycle, islice
from pathlib import Path
from typing import Annotated, Any

import av
import cv2
import numpy as np
import psutil
import typer
import yaml

from pipeline.config.shipped_files import PROJECT
from pipeline.event_filter import parse_filter
from pipeline.events import CameraEvent
from pipeline.redis_store.embedded_redis import embedded_redis
from pipeline.subscriber import Subscriber
from testbed.bit_flipping_proxy import BitFlippingProxy
from testbed.free_port import free_port
from testbed.rtsp_camera import RtspCamera
from testbed.videos_h264 import Image, encode_h264

DEMO_VIDEO = PROJECT / "demo/pedestrians.mp4"
FPS, NAMES = 25, ("gate", "yard", "hall", "dock")
UNAFFECTED = "gate"  # no fault is injected into it
WARM_UP = 0.2  # fraction of the run before the slope of the memory is measured
Cameras = dict[str, dict[str, Any]]


@dataclass(slots=True)
class FaultOutcome:
    """Results of one kind of fault, one value per round."""

    noticed_s: list[float] = field(default_factory=list)  # from the fault to "down"
    recovered_s: list[float] = field(default_factory=list)  # from its end to frames
    others_outages: int = 0  # of other cameras meanwhile
    others_dropped: int = 0  # stale frames of other cameras


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of a camera, and how to inject and undo it."""

    name: str
    camera: str
    begin: Callable[[], object]
    end: Callable[[], object]
    hold_s: float  # minimum seconds from the injection to the end
    is_outage: bool = True


class HealthMonitor:
    """Read the health page and sample the memory of the process tree of a `live` command."""

    def __init__(self, port: int, process: subprocess.Popen[Any]) -> None:
        self.memory: list[tuple[int, float, float]] = []  # frames, MiB of the tree, MiB of main
        self._url = f"http://127.0.0.1:{port}/health"
        self._process = psutil.Process(process.pid)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample_memory, daemon=True)

    def start(self) -> None:
        """Start sampling the memory, every two seconds."""
        self._thread.start()

    def stop(self) -> None:
        """Stop sampling the memory."""
        self._stop.set()
        self._thread.join()

    def page(self) -> dict[str, Any]:
        """Return the content of `/health`."""
        with urllib.request.urlopen(self._url, timeout=5) as response:  # noqa: S310 - loopback
            content: dict[str, Any] = json.load(response)
            return content

    def cameras(self) -> Cameras:
        """Return the cameras of `/health`, by name."""
        cameras: Cameras = self.page()["cameras"]
        return cameras

    def wait_for(self, holds: Callable[[Cameras], bool], timeout_s: float) -> float | None:
        """Return the seconds until a condition on the cameras holds, or None after the timeout."""
        began = time.monotonic()
        while time.monotonic() - began < timeout_s:
            try:
                if holds(self.cameras()):
                    return time.monotonic() - began
            except OSError:
                pass  # the server is not up yet
            time.sleep(0.05)
        return None

    def _sample_memory(self) -> None:
        while not self._stop.wait(2.0):
            try:
                frames = sum(camera["frames_in"] for camera in self.cameras().values())
                main = self._process.memory_info().rss
                children = sum(c.memory_info().rss for c in self._process.children(recursive=True))
            except (OSError, psutil.Error):
                continue
            self.memory.append((frames, (main + children) / 2**20, main / 2**20))


def resized_images(source: Path, wh: tuple[int, int], seconds: int) -> Iterator[Image]:
    """Decode the first `seconds * FPS` frames of a video, resized to (width, height); BGR."""
    with av.open(str(source)) as container:
        for frame in islice(container.decode(video=0), seconds * FPS):
            image = np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
            yield np.asarray(cv2.resize(image, wh, interpolation=cv2.INTER_AREA), np.uint8)


def decoder_of(pid: int, port: int) -> psutil.Process:
    """Return the descendant of process `pid` that is connected to a TCP port.

    Raises:
        LookupError: if there is none.
    """
    for child in psutil.Process(pid).children(recursive=True):
        connections = child.net_connections(kind="tcp")
        if any(one.raddr and one.raddr.port == port for one in connections):
            return child
    raise LookupError(f"no decoder is connected to port {port}")


def run_fault(fault: Fault, monitor: HealthMonitor, outcome: FaultOutcome) -> None:
    """Inject a fault, undo it, and add the measured times to its outcome."""
    before = monitor.cameras()
    began = time.monotonic()
    fault.begin()
    if fault.is_outage:
        noticed_s = monitor.wait_for(lambda now: now[fault.camera]["state"] == "down", 90.0)
        outcome.noticed_s.append(float("nan") if noticed_s is None else noticed_s)
    time.sleep(max(0.0, began + fault.hold_s - time.monotonic()))
    fault.end()
    frames_before = monitor.cameras()[fault.camera]["frames_in"]
    recovered_s = monitor.wait_for(
        lambda now: (
            now[fault.camera]["state"] == "up" and now[fault.camera]["frames_in"] > frames_before
        ),
        60.0,
    )
    outcome.recovered_s.append(float("nan") if recovered_s is None else recovered_s)
    after = monitor.cameras()
    for name in NAMES:
        if name != fault.camera and before[name]["state"] == "up":
            outcome.others_outages += after[name]["connects"] - before[name]["connects"]
            outcome.others_dropped += sum(after[name]["drops"].values())
            outcome.others_dropped -= sum(before[name]["drops"].values())
    time.sleep(2.0)


@contextmanager
def running(
    config: Path, output: Path, log: Path, settings: Sequence[str]
) -> Iterator[subprocess.Popen[Any]]:
    """Run the command `live`; kill it at the end if it still runs."""
    command = [sys.executable, str(PROJECT / "run_pipeline.py"), "live"]
    command += ["--config", str(config), "--output", str(output)]
    command += [argument for setting in settings for argument in ("--set", setting)]
    with log.open("w") as stderr, subprocess.Popen(command, stderr=stderr) as process:  # noqa: S603
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


class Site:
    """The RTSP servers and the config file of the cameras."""

    def __init__(
        self, folder: Path, video: Path, stack: ExitStack, content: dict[str, Any]
    ) -> None:
        small = encode_h264(
            folder / "small.mp4", resized_images(video, (640, 360), 12), FPS, kbps=1500
        )
        larger_images = resized_images(video, (960, 540), 12)
        self.larger = encode_h264(folder / "larger.mp4", larger_images, FPS)
        self.small = small
        self.servers = {
            name: stack.enter_context(RtspCamera(small, start=name != "dock")) for name in NAMES
        }
        self.proxy = stack.enter_context(BitFlippingProxy(self.servers["dock"].url))
        urls = {name: server.url for name, server in self.servers.items()}
        self.config = folder / "cameras.yaml"
        self.content = content | {
            "cameras": {
                name: {"url": url} for name, url in (urls | {"dock": self.proxy.url}).items()
            }
        }
        self.write()

    def write(self, **more: dict[str, Any]) -> None:
        """Write the config file, with additional cameras."""
        cameras = self.content["cameras"] | more
        self.config.write_text(yaml.safe_dump(self.content | {"cameras": cameras}))


def faults_of(site: Site, pid: int) -> list[Fault]:
    """Return the faults in the order of injection.

    Args:
        site: the cameras.
        pid: process id of the `live` command.
    """
    yard, hall, dock = (site.servers[name] for name in ("yard", "hall", "dock"))

    def crash() -> None:
        os.kill(decoder_of(pid, site.proxy.port).pid, signal.SIGSEGV)

    def flip(rate: float) -> Callable[[], None]:
        return lambda: setattr(site.proxy, "flip_rate", rate)

    return [
        Fault("server killed, back after 5 s", "yard", yard.kill, yard.restart, 5.0),
        Fault("server frozen for 5 s", "yard", yard.freeze, yard.thaw, 5.0, is_outage=False),
        Fault("server frozen for 60 s", "yard", yard.freeze, yard.thaw, 60.0),
        Fault("stream stops, connection stays", "yard",
              lambda: yard.command("stall"), lambda: yard.command("resume"), 10.0),
        Fault("another path", "hall",
              lambda: hall.restart(path="/other"), lambda: hall.restart(path="/cam"), 8.0),
        Fault("another password, then the right one", "hall",
              lambda: hall.restart(user="u", password="p"),  # noqa: S106
              lambda: hall.restart(user=None, password=None), 8.0),
        Fault("another resolution in the stream", "hall",
              lambda: hall.command(f"switch {site.larger}"),
              lambda: hall.command(f"switch {site.small}"), 6.0, is_outage=False),
        Fault("3 % of the packets damaged for 10 s", "dock", flip(0.03), flip(0.0), 10.0,
              is_outage=False),
        Fault("connection cut", "dock", site.proxy.cut, lambda: None, 0.0, is_outage=False),
        Fault("decoder crashes (SIGSEGV)", "dock", crash, lambda: None, 0.0),
        Fault("port closed for 20 s", "dock", dock.kill, dock.restart, 20.0),
    ]  # fmt: skip


def attach_and_detach(site: Site, monitor: HealthMonitor, pid: int, times: int) -> list[float]:
    """Attach and detach a fifth camera by SIGHUP; return the seconds until each time it is up."""
    attached_s = []
    for _ in range(times):
        site.write(guest={"url": site.servers[UNAFFECTED].url})
        os.kill(pid, signal.SIGHUP)
        up_s = monitor.wait_for(lambda now: now.get("guest", {}).get("state") == "up", 20.0)
        attached_s.append(float("nan") if up_s is None else up_s)
        site.write()
        os.kill(pid, signal.SIGHUP)
        monitor.wait_for(lambda now: "guest" not in now, 20.0)
    return attached_s


def slope_mib_per_1000(memory: list[tuple[int, float, float]], column: int) -> float:
    """Return the slope of a column of the memory samples after the warm-up, by linear fit."""
    kept = np.array(memory[int(len(memory) * WARM_UP) :], float)
    return float(np.polyfit(kept[:, 0] / 1000, kept[:, column], 1)[0])


def check_events(output: Path) -> dict[str, int]:
    """Read all events of the run as a subscriber; count them and the gaps in their numbers."""
    counts = {"events": 0, "camera_up": 0, "camera_down": 0, "gaps": 0}
    newest: dict[str, int] = {}
    with (
        embedded_redis(output / "redis") as url,
        Subscriber(url, start="0", wanted=parse_filter(()), to_end_only=True) as events,
    ):
        for event in events:
            counts["events"] += 1
            if isinstance(event, CameraEvent):
                counts[event.kind] += 1
            counts["gaps"] += event.seq != newest.get(event.origin, 0) + 1
            newest[event.origin] = event.seq
    return counts


def table(outcomes: dict[str, FaultOutcome]) -> Iterator[str]:
    """Yield the lines of a Markdown table of the outcomes."""
    yield "| fault | times | noticed after | frames again after | others: outages, dropped frames |"
    yield "| --- | --- | --- | --- | --- |"
    for name, one in outcomes.items():
        noticed = f"{_spread(one.noticed_s)}" if one.noticed_s else "no outage"
        others = f"{one.others_outages}, {one.others_dropped}"
        times = len(one.recovered_s)
        yield f"| {name} | {times} | {noticed} | {_spread(one.recovered_s)} | {others} |"


def _spread(seconds: list[float]) -> str:
    return f"{statistics.median(seconds):.1f} s (at most {max(seconds):.1f})"


def main(
    minutes: Annotated[float, typer.Option(help="Duration of the run.")] = 30.0,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a config key.")
    ] = None,
    video: Annotated[Path, typer.Option(help="Video that shows people.")] = DEMO_VIDEO,
    cycles: Annotated[int, typer.Option(help="Times to attach and detach a camera.")] = 100,
    log: Annotated[Path | None, typer.Option(help="Write the log of the run to this file.")] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the results to this file.")
    ] = None,
) -> None:
    """Inject faults into live cameras and print the outcome of each."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder, port = Path(name), free_port()
        content = {
            "live": {"health": f"127.0.0.1:{port}", "detect_fps": 5},
        }
        site = Site(folder, video, stack, content)
        run = stack.enter_context(
            running(site.config, folder / "out", log or folder / "log", settings or ())
        )
        monitor = HealthMonitor(port, run)
        outcomes: dict[str, FaultOutcome] = {}
        began = time.monotonic()
        started = ("gate", "yard", "hall")
        up_s = monitor.wait_for(
            lambda now: all(now.get(n, {}).get("state") == "up" for n in started), 120.0
        )
        assert up_s is not None, "the cameras do not come up"
        monitor.start()
        dead = FaultOutcome()
        monitor.wait_for(lambda now: now["dock"]["state"] == "down", 30.0)
        time.sleep(10.0)
        run_fault(
            Fault("one of four dead from the start", "dock", lambda: None,
                  site.servers["dock"].start, 10.0), monitor, dead,
        )  # fmt: skip
        dead.noticed_s.clear()
        outcomes["one of four dead from the start"] = dead
        for fault in cycle(faults_of(site, run.pid)):
            if time.monotonic() - began > 60 * minutes - cycles * 1.5:
                break
            run_fault(fault, monitor, outcomes.setdefault(fault.name, FaultOutcome()))
            print(fault.name, asdict(outcomes[fault.name]), file=sys.stderr)
        attached_s = attach_and_detach(site, monitor, run.pid, cycles)
        outcomes["a fifth camera comes and goes (SIGHUP)"] = FaultOutcome(recovered_s=attached_s)
        page = monitor.page()
        monitor.stop()
        stop_requested = time.monotonic()
        run.terminate()
        code = run.wait(30)
        stop_s = time.monotonic() - stop_requested
        events = check_events(folder / "out")
    print("\n".join(table(outcomes)))
    elapsed_min = (time.monotonic() - began) / 60
    slopes = [slope_mib_per_1000(monitor.memory, column) for column in (1, 2)]
    frames = monitor.memory[-1][0]
    print(
        f"\n{elapsed_min:.1f} minutes, {frames} frames; exit code {code} after {stop_s:.1f} s; "
        f"{events}; memory {slopes[0]:+.2f} MiB per 1000 frames of the process tree, "
        f"{slopes[1]:+.2f} of the main process; latency {page['latency_s'].get('total')}"
    )
    if json_file is not None:
        measured = {name: asdict(one) for name, one in outcomes.items()}
        json_file.write_text(
            json.dumps({"faults": measured, "memory": monitor.memory, "health": page}, indent=1)
        )


if __name__ == "__main__":
    typer.run(main)
