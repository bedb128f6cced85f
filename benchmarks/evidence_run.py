"""The pipeline of `benchmarks.evidence`, in a process that can be killed.

python -m benchmarks.evidence_run OUTPUT REDIS_URL VIDEO CAMERAS
"""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

from benchmarks.evidence_stream import STREAM
from pipeline.app import live
from pipeline.config.schema import load_config
from pipeline.delivery.deliver import deliver_events
from pipeline.live.camera_source import parse_source
from pipeline.live.supervisor import Operator
from pipeline.runtime.shutdown import Shutdown, on_signals
from pipeline.stages.decisions import EventStamp
from pipeline.telemetry.run_status import RunStatus
from pipeline.telemetry.systemd import SystemdNotifier
from testbed.fakes import LABELS, fake_components

_SPEED = 2.0  # of the files: an alarm starts every half second


def run(output: Path, url: str, video: str, cameras: int) -> None:
    """Run until SIGTERM.

    Args:
        output: of the evidence and the outbox.
        url: of the Redis server.
        video: that every camera plays.
        cameras: their number.
    """
    rules = ", ".join(f"{label}: {{action: {label}}}" for label in LABELS)
    settings = [
        f"output={output}",
        f"redis.url={url}",
        f"redis.stream={STREAM}",
        f"rules={{{rules}}}",
        "evidence.rules=['*']",
        "evidence.before_s=1",
        "evidence.after_s=0.5",
        "live.detect_fps=null",
    ]
    config = load_config(None, settings)
    sources = [
        parse_source(f"{video}?live&loop&speed={_SPEED}", f"camera-{n}") for n in range(cameras)
    ]
    run_id = f"{time.time_ns()}-{os.getpid()}"
    operator = Operator(
        print_line=lambda line: None,
        report_interval_s=0.0,
        load_cameras=lambda: tuple(sources),
        reload_requested=threading.Event(),
        systemd=SystemdNotifier(None),
    )
    shutdown = Shutdown()
    with (
        on_signals(shutdown, print),
        deliver_events(
            url, config.redis, output / "outbox", run_id, shutdown.now, spool=True
        ) as sink,
    ):
        stamp = EventStamp(run_id, "brightness", wall_clock=True)
        status = RunStatus()
        events = live(sources, fake_components(), config, stamp, [sink], status, operator, shutdown)
        for _ in events:
            pass


if __name__ == "__main__":
    run(Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]))
