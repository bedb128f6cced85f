"""The stages of `benchmarks.evidence` after the decision, in a process that starts in seconds.

    python -m benchmarks.evidence_stages OUTPUT REDIS_URL VIDEO CAMERAS

Made alarms pass the evidence stage, the numbering and the outbox as in `app.live`, with real
snapshots, clips that are cut from VIDEO, and a real Redis; there are no networks and no cameras.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.evidence_stream import STREAM
from pipeline.config.evidence import EvidenceConfig
from pipeline.config.schema import load_config
from pipeline.delivery.deliver import deliver_events
from pipeline.events import UNNUMBERED, AlarmEvent, EventKind
from pipeline.evidence.run import RunEvidence
from pipeline.evidence.videos import RecordedVideos
from pipeline.outputs.sinks import write_all
from pipeline.runtime.shutdown import Shutdown, on_signals
from pipeline.runtime.stage_group import StageGroup
from pipeline.sources.file_decoder import DECODE_DEFAULTS
from pipeline.sources.video_files import VideoFile
from pipeline.stages.numbering import number_events
from pipeline.types import (
    ClippedFrame,
    DecidedEnd,
    DecidedFrame,
    Frame,
    StreamEnd,
    TrackedFrame,
)

_FPS = 10
_EVERY, _LASTS = 8, 4  # frames from one alarm of a camera to the next, and of each
_WH = (320, 240)


def run(output: Path, url: str, video: Path, cameras: int) -> None:
    """Run until SIGTERM.

    Args:
        output: of the evidence and the outbox.
        url: of the Redis server.
        video: that clips are cut from.
        cameras: their number.
    """
    config = load_config(None, [f"redis.url={url}", f"redis.stream={STREAM}"])
    kept = EvidenceConfig(rules=("*",), before_s=0.5, after_s=0.3)
    run_id = f"{time.time_ns()}-{os.getpid()}"
    shutdown, videos = Shutdown(), RecordedVideos(DECODE_DEFAULTS)
    names = [f"camera-{n}" for n in range(cameras)]
    evidence = RunEvidence(kept, output, run_id, (), shutdown, 10_000_000, is_live=True)
    with (
        on_signals(shutdown, print),
        deliver_events(
            url, config.redis, output / "outbox", run_id, shutdown.now, spool=True
        ) as sink,
        evidence,
        StageGroup(shutdown.stop) as stages,
    ):
        shutdown.bind(stages.cancel)
        for name in names:
            videos.began(VideoFile(name, video), 0.0)
        for name, work in evidence.threads():
            stages.run(name, work)
        made = evidence.keep(_items(names, run_id, evidence, shutdown.stop), videos)
        for _ in write_all(number_events(made), [sink]):
            pass


def _items(
    names: list[str], run_id: str, evidence: RunEvidence, stop: threading.Event
) -> Iterator[DecidedFrame | DecidedEnd]:
    index = 0
    while not stop.wait(1 / _FPS):
        for name in names:
            yield _frame(name, run_id, index, evidence)
        index += 1
    for name in names:
        open_alarm = _alarm(name, run_id, index, "end", "camera_down")
        ends = (open_alarm,) if index % _EVERY in range(1, _LASTS + 1) else ()
        yield DecidedEnd(StreamEnd(name, "stopped"), ends)


def _frame(name: str, run_id: str, index: int, evidence: RunEvidence) -> DecidedFrame:
    image = np.full((_WH[1], _WH[0], 3), index % 256, np.uint8)
    frame = Frame(name, index, index / _FPS, time.time(), image, 0.0)
    tracked = TrackedFrame(frame, (), (), 0.0, 0.0)
    list(evidence.keep_images(item for item in (ClippedFrame(tracked, (), 0.0),)))
    events: tuple[AlarmEvent, ...] = ()
    if index % _EVERY == 0:
        events = (_alarm(name, run_id, index, "start"),)
    elif index % _EVERY == _LASTS:
        events = (_alarm(name, run_id, index, "end", "over"),)
    return DecidedFrame(tracked, events)


def _alarm(
    name: str, run_id: str, index: int, phase: EventKind, reason: str | None = None
) -> AlarmEvent:
    start = index - index % _EVERY
    return AlarmEvent.model_validate(
        {
            "kind": "alarm",
            "phase": phase,
            "event_id": "",
            "camera_id": name,
            "run_id": run_id,
            "seq": UNNUMBERED,
            "alarm_id": f"{run_id}/{name}/alarm-made/{start // _EVERY + 1}",
            "rule": "made",
            "severity": "info",
            "reason": "made",
            "zone": None,
            "track_ids": (),
            "group_ids": (),
            "instance_ids": (),
            "score": None,
            "start_pts_s": start / _FPS,
            "end_pts_s": index / _FPS,
            "start_time": None,
            "end_time": None,
            "frame_index": index,
            "xyxy": (40.0, 40.0, 120.0, 200.0),
            "frame_wh": _WH,
            "end_reason": reason,
            "latency_ms": {},
        }
    )


if __name__ == "__main__":
    run(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))
