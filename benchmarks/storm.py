"""Four RTSP cameras through a storm of faults: who notices, who recovers, who is not touched.

python -m benchmarks.storm [--minutes 30] [--video FILE] [--json FILE] [--set KEY=VALUE]

Real servers (GStreamer), the real `live` command with a Redis of its own, real pedestrians. One
camera after the other is killed, frozen, renamed, locked, damaged; one stays as it is and must not
notice. Every fault is over when the camera is back; recovery is counted from there.
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
from pipeline.redis_store.redis_server import free_port
from pipeline.subscriber import Subscriber
from testbed.bit_flipping_proxy import BitFlippingProxy
from testbed.rtsp_camera import RtspCamera
from testbed.videos_h264 import Image, encode_h264

FPS, NAMES = 25, ("gate", "yard", "hall", "dock")
STEADY = "gate"  # nobody touches it
WARM_UP = 0.2  # of the run: models and allocators settle
Cameras = dict[str, dict[str, Any]]


@dataclass(slots=True)
class FaultOutcome:
    """What one kind of fault did, once per round."""

    noticed_s: list[float] = field(default_factory=list)  # from the fault to "down"
    recovered_s: list[float] = field(default_factory=list)  # from the camera's return to pictures
    others_lost: int = 0  # outages of other cameras meanwhile
    others_left_out: int = 0  # frames of other cameras that were too late for anything


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that happens to a camera, and how it is undone."""

    name: str
    camera: str
    begin: Callable[[], object]
    end: Callable[[], object]
    hold_s: float
    is_outage: bool = True


class Monitor:
    """Looks at the health page and at the memory of the whole process tree."""

    def __init__(self, port: int, process: subprocess.Popen[Any]) -> None:
        self.memory: list[tuple[int, float, float]] = []  # frames so far, MiB in all, of the main
        self._url = f"http://127.0.0.1:{port}/health"
        self._process = psutil.Process(process.pid)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch_memory, daemon=True)

    def start(self) -> None:
        """Begin to look at the memory."""
        self._thread.start()

    def stop(self) -> None:
        """Look no longer."""
        self._stop.set()
        self._thread.join()

    def page(self) -> dict[str, Any]:
        """What `/health` says."""
        with urllib.request.urlopen(self._url, timeout=5) as answer:  # noqa: S310 - loopback
            content: dict[str, Any] = json.load(answer)
            return content

    def cameras(self) -> Cameras:
        """Its part about the cameras."""
        found: Cameras = self.page()["cameras"]
        return found

    def wait_for(self, holds: Callable[[Cameras], bool], timeout_s: float) -> float | None:
        """Seconds until it holds, or None."""
        began = time.monotonic()
        while time.monotonic() - began < timeout_s:
            try:
                if holds(self.cameras()):
                    return time.monotonic() - began
            except OSError:
                pass  # it does not answer yet
            time.sleep(0.05)
        return None

    def _watch_memory(self) -> None:
        while not self._stop.wait(2.0):
            try:
                frames = sum(camera["frames_in"] for camera in self.cameras().values())
                main = self._process.memory_info().rss
                children = sum(c.memory_info().rss for c in self._process.children(recursive=True))
            except (OSError, psutil.Error):
                continue
            self.memory.append((frames, (main + children) / 2**20, main / 2**20))


def people(source: Path, wh: tuple[int, int], seconds: int) -> Iterator[Image]:
    """The beginning of a recording, resized."""
    with av.open(str(source)) as container:
        for frame in islice(container.decode(video=0), seconds * FPS):
            picture = np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
            yield np.asarray(cv2.resize(picture, wh, interpolation=cv2.INTER_AREA), np.uint8)


def decoder_of(pid: int, port: int) -> psutil.Process:
    """The process that is connected to a camera."""
    for child in psutil.Process(pid).children(recursive=True):
        connections = child.net_connections(kind="tcp")
        if any(one.raddr and one.raddr.port == port for one in connections):
            return child
    raise LookupError("no decoder is connected to it")


def run_fault(fault: Fault, monitor: Monitor, outcome: FaultOutcome) -> None:
    """Let it happen, undo it, and take down what was seen."""
    before = monitor.cameras()
    began = time.monotonic()
    fault.begin()
    if fault.is_outage:
        noticed_s = monitor.wait_for(lambda now: now[fault.camera]["state"] == "down", 90.0)
        outcome.noticed_s.append(float("nan") if noticed_s is None else noticed_s)
    time.sleep(max(0.0, began + fault.hold_s - time.monotonic()))
    fault.end()
    seen = monitor.cameras()[fault.camera]["frames_in"]
    back_s = monitor.wait_for(
        lambda now: now[fault.camera]["state"] == "up" and now[fault.camera]["frames_in"] > seen,
        60.0,
    )
    outcome.recovered_s.append(float("nan") if back_s is None else back_s)
    after = monitor.cameras()
    for name in NAMES:
        if name != fault.camera and before[name]["state"] == "up":
            outcome.others_lost += after[name]["connects"] - before[name]["connects"]
            drops = (sum(when[name]["drops"].values()) for when in (after, before))
            outcome.others_left_out += next(drops) - next(drops)
    time.sleep(2.0)


@contextmanager
def running(
    config: Path, output: Path, log: Path, settings: Sequence[str]
) -> Iterator[subprocess.Popen[Any]]:
    """The command `live`, killed if it does not end by itself."""
    command = [sys.executable, str(PROJECT / "run_pipeline.py"), "live"]
    command += ["--config", str(config), "--output", str(output)]
    command += [part for setting in settings for part in ("--set", setting)]
    with log.open("w") as stderr, subprocess.Popen(command, stderr=stderr) as process:  # noqa: S603
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


class Site:
    """The cameras, and the configuration that names them."""

    def __init__(
        self, folder: Path, video: Path, stack: ExitStack, content: dict[str, Any]
    ) -> None:
        small = encode_h264(folder / "small.mp4", people(video, (640, 360), 12), FPS, kbps=1500)
        self.larger = encode_h264(folder / "larger.mp4", people(video, (960, 540), 12), FPS)
        self.small = small
        self.servers = {
            name: stack.enter_context(RtspCamera(small, start=name != "dock")) for name in NAMES
        }
        self.line = stack.enter_context(BitFlippingProxy(self.servers["dock"].url))
        urls = {name: server.url for name, server in self.servers.items()}
        self.config = folder / "cameras.yaml"
        self.content = content | {
            "cameras": {
                name: {"url": url} for name, url in (urls | {"dock": self.line.url}).items()
            }
        }
        self.write()

    def write(self, **more: dict[str, Any]) -> None:
        """Write it anew, with further cameras."""
        cameras = self.content["cameras"] | more
        self.config.write_text(yaml.safe_dump(self.content | {"cameras": cameras}))


def faults_of(site: Site, pid: int) -> list[Fault]:
    """Everything that happens, in order."""
    yard, hall, dock = (site.servers[name] for name in ("yard", "hall", "dock"))

    def crash() -> None:
        os.kill(decoder_of(pid, site.line.port).pid, signal.SIGSEGV)

    def flip(rate: float) -> Callable[[], None]:
        return lambda: setattr(site.line, "flip_rate", rate)

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
        Fault("connection cut", "dock", site.line.cut, lambda: None, 0.0, is_outage=False),
        Fault("decoder crashes (SIGSEGV)", "dock", crash, lambda: None, 0.0),
        Fault("port closed for 20 s", "dock", dock.kill, dock.restart, 20.0),
    ]  # fmt: skip


def attach_and_detach(site: Site, monitor: Monitor, pid: int, times: int) -> list[float]:
    """A guest comes and goes; returns how long each coming took."""
    took = []
    for _ in range(times):
        site.write(guest={"url": site.servers[STEADY].url})
        os.kill(pid, signal.SIGHUP)
        up = monitor.wait_for(lambda now: now.get("guest", {}).get("state") == "up", 20.0)
        took.append(float("nan") if up is None else up)
        site.write()
        os.kill(pid, signal.SIGHUP)
        monitor.wait_for(lambda now: "guest" not in now, 20.0)
    return took


def slope_mib_per_1000(memory: list[tuple[int, float, float]], column: int) -> float:
    """Of a line through what was measured after the warm-up; a camera that comes shifts no base."""
    kept = np.array(memory[int(len(memory) * WARM_UP) :], float)
    return float(np.polyfit(kept[:, 0] / 1000, kept[:, column], 1)[0])


def check_events(output: Path) -> dict[str, int]:
    """Every event of the run, in order and without holes, as any program would read them."""
    counts = {"events": 0, "camera_up": 0, "camera_down": 0, "holes": 0}
    newest: dict[str, int] = {}
    with (
        embedded_redis(output / "redis") as url,
        Subscriber(url, start="0", wanted=parse_filter(()), to_end_only=True) as events,
    ):
        for event in events:
            counts["events"] += 1
            if isinstance(event, CameraEvent):
                counts[event.kind] += 1
            counts["holes"] += event.seq != newest.get(event.origin, 0) + 1
            newest[event.origin] = event.seq
    return counts


def table(outcomes: dict[str, FaultOutcome]) -> Iterator[str]:
    """For people."""
    yield "| fault | times | noticed after | pictures again after | others: outages, frames |"
    yield "| --- | --- | --- | --- | --- |"
    for name, one in outcomes.items():
        noticed = f"{_spread(one.noticed_s)}" if one.noticed_s else "no outage"
        others = f"{one.others_lost}, {one.others_left_out}"
        times = len(one.recovered_s)
        yield f"| {name} | {times} | {noticed} | {_spread(one.recovered_s)} | {others} |"


def _spread(seconds: list[float]) -> str:
    return f"{statistics.median(seconds):.1f} s (at most {max(seconds):.1f})"


def main(
    minutes: Annotated[float, typer.Option(help="How long the storm lasts.")] = 30.0,
    settings: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE")] = None,
    video: Annotated[Path, typer.Option(help="With people.")] = PROJECT / "demo/pedestrians.mp4",
    cycles: Annotated[int, typer.Option(help="Times that a camera comes and goes.")] = 100,
    log: Annotated[Path | None, typer.Option(help="Where the run's own log is kept.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Everything measured.")] = None,
) -> None:
    """Run the benchmark and print its results."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder, port = Path(name), free_port()
        content = {
            "live": {"health": f"127.0.0.1:{port}", "detect_fps": 5},
        }
        site = Site(folder, video, stack, content)
        run = stack.enter_context(
            running(site.config, folder / "out", log or folder / "log", settings or ())
        )
        monitor = Monitor(port, run)
        outcomes: dict[str, FaultOutcome] = {}
        began = time.monotonic()
        alive = ("gate", "yard", "hall")
        up = monitor.wait_for(
            lambda now: all(now.get(n, {}).get("state") == "up" for n in alive), 120.0
        )
        assert up is not None, "the cameras do not come up"
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
        comings = attach_and_detach(site, monitor, run.pid, cycles)
        outcomes[f"{cycles} times a camera more and less"] = FaultOutcome(recovered_s=comings)
        page = monitor.page()
        monitor.stop()
        asked = time.monotonic()
        run.terminate()
        code = run.wait(30)
        stop_s = time.monotonic() - asked
        events = check_events(folder / "out")
    print("\n".join(table(outcomes)))
    lasted = (time.monotonic() - began) / 60
    slopes = [slope_mib_per_1000(monitor.memory, column) for column in (1, 2)]
    frames = monitor.memory[-1][0]
    print(
        f"\n{lasted:.1f} minutes, {frames} frames; exit code {code} after {stop_s:.1f} s; "
        f"{events}; memory {slopes[0]:+.2f} MiB per 1000 frames in all, {slopes[1]:+.2f} of the "
        f"main process; latency {page['latency_s'].get('total')}"
    )
    if json_file is not None:
        measured = {name: asdict(one) for name, one in outcomes.items()}
        json_file.write_text(
            json.dumps({"faults": measured, "memory": monitor.memory, "health": page}, indent=1)
        )


if __name__ == "__main__":
    typer.run(main)
