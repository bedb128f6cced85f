"""Count alarms, snapshots and clips through kills of the pipeline at random moments.

    python -m benchmarks.evidence [--alarms 1000] [--cameras 4] [--seed 0] [--stages] [--json FILE]

A real pipeline (`app.live`, stand-ins for the networks, looped files as cameras, a real Redis, an
outbox) is killed (SIGKILL) and started again until so many alarms were published. Afterwards every
event must be on the stream exactly once, every alarm that started must have ended once, and every
file that an event names must open: snapshots as JPEG, clips with every frame and their SHA-256.
With `--stages` only the stages after the decision run, which start in seconds instead of a minute.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

import av
import cv2
import numpy as np
import redis
import typer

from benchmarks.evidence_stream import STREAM
from pipeline.config.shipped_files import PROJECT
from pipeline.events import AlarmEvent, Event, EvidenceEvent, decode_event
from testbed.redis_server import redis_server
from testbed.videos_h264 import encode_h264

WHOLE, STAGES = "benchmarks.evidence_run", "benchmarks.evidence_stages"
_FPS, _WH, _SHADES = 10, (320, 240), (230, 20)
_SHORTEST_S, _LONGEST_S = 2.0, 12.0  # of a life, from its first event or alarm on
_ALARMING_FRACTION = 0.8  # of the lives; the others may be killed while the cameras start
_POLL_S = 0.25
_START_S, _END_S = 300.0, 300.0  # limits for a process to start and to end in order


@dataclass(slots=True)
class EvidenceFindings:
    """What was published, and what is wrong with it."""

    kills: int = 0
    alarms: int = 0  # that started
    snapshots: int = 0  # named by an alarm or an event
    clips: int = 0
    lost: list[str] = field(default_factory=list)  # gaps in sequences, alarms without an end
    doubled: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.lost or self.doubled or self.unreadable)


def run_with_kills(
    folder: Path, alarms: int, cameras: int, seed: int, *, program: str, report: bool = True
) -> EvidenceFindings:
    """Kill and restart a pipeline until so many alarms have started; check what it published.

    Args:
        folder: for everything that is written.
        alarms: to wait for.
        cameras: looped files.
        seed: of the moments of the kills.
        program: the module that is run.
        report: print a line per life.
    """
    chance = random.Random(seed)  # noqa: S311 - of moments
    video = _video(folder / "camera.mp4")
    kills = 0
    with redis_server(folder / "redis") as url, redis.Redis.from_url(url) as client:
        while (started := _started(client)) < alarms:
            before = client.xlen(STREAM)
            with _process(folder, url, video, cameras, program) as process:
                _wait(lambda: client.xlen(STREAM) > before, process)  # noqa: B023
                # The first events close what the life before left open. Most lives are to alarm.
                if chance.random() < _ALARMING_FRACTION:
                    _wait(lambda: _started(client) > started, process)
                time.sleep(chance.uniform(_SHORTEST_S, _LONGEST_S))
                process.send_signal(signal.SIGKILL)
                process.wait()
            kills += 1
            if report:
                print(f"{kills} kills, {_started(client)} alarms", flush=True)
        before = client.xlen(STREAM)
        with _process(folder, url, video, cameras, program) as process:  # one life ends in order
            _wait(lambda: client.xlen(STREAM) > before, process)
            process.send_signal(signal.SIGTERM)
            process.wait(_END_S)
        events = _published(client)
    return check(events, folder / "output" / "evidence", kills)


def check(events: list[Event], folder: Path, kills: int) -> EvidenceFindings:
    """Compare events with each other and with the files that they name.

    Args:
        events: of the whole stream, in order.
        folder: of the evidence.
        kills: that there were.
    """
    findings = EvidenceFindings(kills)
    _check_numbers(events, findings)
    _check_alarms(events, findings)
    for event in events:
        if isinstance(event, AlarmEvent) and event.phase == "start" and event.snapshot:
            findings.snapshots += 1
            _open_snapshot(folder / event.snapshot, findings)
        elif isinstance(event, EvidenceEvent):
            _open_evidence(folder / event.path, event, findings)
    return findings


def _check_numbers(events: list[Event], findings: EvidenceFindings) -> None:
    numbers: dict[str, list[int]] = {}
    for event in events:
        numbers.setdefault(event.origin, []).append(event.seq)
    for origin, found in numbers.items():
        findings.lost += [f"{origin}/{n}" for n in range(1, max(found) + 1) if n not in set(found)]
        findings.doubled += [f"{origin}/{n}" for n, count in Counter(found).items() if count > 1]


def _check_alarms(events: list[Event], findings: EvidenceFindings) -> None:
    phases = Counter(
        (event.alarm_id, event.phase) for event in events if isinstance(event, AlarmEvent)
    )
    for (alarm_id, phase), count in phases.items():
        if phase == "start":
            findings.alarms += 1
            findings.lost += [] if (alarm_id, "end") in phases else [f"{alarm_id}: end"]
        if phase != "update" and count > 1:
            findings.doubled.append(f"{alarm_id}: {phase}")


def _open_evidence(path: Path, event: EvidenceEvent, findings: EvidenceFindings) -> None:
    if not path.is_file() or sha256(path.read_bytes()).hexdigest() != event.sha256:
        findings.unreadable.append(event.path)
    elif event.media == "clip":
        findings.clips += 1
        _open_clip(path, event, findings)
    else:
        findings.snapshots += 1
        _open_snapshot(path, findings)


def _open_snapshot(path: Path, findings: EvidenceFindings) -> None:
    if cv2.imread(str(path)) is None:
        findings.unreadable.append(str(path))


def _open_clip(path: Path, event: EvidenceEvent, findings: EvidenceFindings) -> None:
    with av.open(str(path)) as container:
        frames = sum(1 for _ in container.decode(video=0))
    if abs(frames / _FPS - event.duration_s) > 2 / _FPS:
        findings.unreadable.append(f"{path}: {frames} frames in {event.duration_s} s")


def _video(path: Path) -> Path:
    """A second bright, a second dark: two alarms in two seconds."""
    width, height = _WH
    images = (
        np.full((height, width, 3), _SHADES[n // _FPS % 2], np.uint8) for n in range(60 * _FPS)
    )
    return encode_h264(path, images, _FPS, gop=_FPS)


def _process(
    folder: Path, url: str, video: Path, cameras: int, program: str
) -> subprocess.Popen[bytes]:
    arguments = [str(folder / "output"), url, str(video), str(cameras)]
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(  # noqa: S603 - this project's program
            [sys.executable, "-m", program, *arguments], cwd=PROJECT, stderr=log
        )


def _wait(holds: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_S
    while not holds():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("the pipeline published nothing; see the log")
        time.sleep(_POLL_S)


def _started(client: redis.Redis) -> int:
    events = _published(client)
    return sum(isinstance(event, AlarmEvent) and event.phase == "start" for event in events)


def _published(client: redis.Redis) -> list[Event]:
    entries: Any = client.xrange(STREAM)
    return [decode_event(fields[b"event"]) for _, fields in entries]


def main(
    alarms: Annotated[int, typer.Option(help="Alarms to wait for.")] = 1000,
    cameras: Annotated[int, typer.Option(help="Looped files that are cameras.")] = 4,
    seed: Annotated[int, typer.Option(help="Of the moments of the kills.")] = 0,
    stages: Annotated[bool, typer.Option(help="Only the stages after the decision.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the numbers.")] = None,
) -> None:
    """Count alarms, snapshots and clips through kills of the pipeline at random moments."""
    with tempfile.TemporaryDirectory() as folder:
        findings = run_with_kills(
            Path(folder), alarms, cameras, seed, program=STAGES if stages else WHOLE
        )
    print(json.dumps(asdict(findings), indent=1))
    if json_file is not None:
        json_file.write_text(json.dumps(asdict(findings)))
    raise typer.Exit(0 if findings.is_sound else 1)


if __name__ == "__main__":
    typer.run(main)
