"""Publisher and consumer processes of `benchmarks.chaos`.

    python -m benchmarks.chaos_processes publish NAME URL FOLDER RATE
    python -m benchmarks.chaos_processes consume NAME URL FOLDER CLAIM_AFTER_S PAUSE_S

Both record their events in FOLDER, one flushed line each, so that the records outlive a SIGKILL.
SIGTERM ends them in order.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

from benchmarks.chaos_records import ProducedRecord, record_syncs
from pipeline.config.delivery import RedisConfig
from pipeline.config.schema import load_config
from pipeline.delivery.deliver import deliver_events
from pipeline.events import ActionEvent, CameraEvent, Event
from pipeline.subscriber import EventFilter, Report, Subscriber
from pipeline.types import DecidedEnd, StreamEnd

STREAM, GROUP = "chaos:events", "alarms"
CAMERAS = ("gate", "yard", "hall")
BATCH = 5  # events per decision
MAX_AGE_S = 86_400  # seconds that entries are kept


def publish(name: str, url: str, folder: Path, rate: float, maxlen: int | None = None) -> None:
    """Produce events of several cameras and deliver them as `live` does, until SIGTERM.

    Args:
        name: name of the process; names the outbox.
        url: URL of the Redis server.
        folder: outboxes and records of the run.
        rate: events per second.
        maxlen: length to which the stream is trimmed; None: by age.
    """
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    print("ready", flush=True)
    section = redis_section(url, maxlen)
    run_id = f"{name}-{os.getpid()}"
    cameras = [CameraScript(run_id, camera_id) for camera_id in CAMERAS]
    outboxes = folder / f"outbox-{name}"
    record = ProducedRecord(folder, run_id)
    record_syncs(record)
    with deliver_events(url, section, outboxes, run_id, threading.Event(), spool=True) as sink:

        def write(camera: CameraScript, events: tuple[Event, ...]) -> None:
            sink.write(DecidedEnd(StreamEnd(camera.camera_id), events))
            if sink.publisher.disk_error is None:  # else a kill may take them
                record.numbers = tuple(each.seq for each in cameras)

        due = time.monotonic()
        turn = 0
        while not stop.is_set():
            camera = cameras[turn % len(cameras)]
            turn += 1
            write(camera, tuple(camera.next_event() for _ in range(BATCH)))
            due = max(due + BATCH / rate, time.monotonic() - 0.1)
            stop.wait(max(0.0, due - time.monotonic()))
        for camera in cameras:
            write(camera, camera.down())
        record.numbers = tuple(each.seq for each in cameras)


def redis_section(url: str, maxlen: int | None = None) -> RedisConfig:
    """Return the configuration of the stream; trimmed by age unless a length is given."""
    # Wrong clocks must not trim it.
    limit = f"redis.max_age_s={MAX_AGE_S}" if maxlen is None else f"redis.maxlen={maxlen}"
    settings = [f"redis.url={url}", f"redis.stream={STREAM}", limit, "redis.wait_s=120"]
    return load_config(None, settings).redis


class CameraScript:
    """Scripted events of one camera: up, then actions with a start, updates and an end."""

    def __init__(self, run_id: str, camera_id: str) -> None:
        self.run_id, self.camera_id, self.seq = run_id, camera_id, 0

    def next_event(self) -> Event:
        """Return the event with the next sequence number."""
        self.seq += 1
        if self.seq == 1:
            return self._camera_event("camera_up")
        number, phase = divmod(self.seq - 2, 4)
        kind = ("start", "update", "update", "end")[phase]
        return self._action_event(kind, f"{self.run_id}/{self.camera_id}/{number}")

    def down(self) -> tuple[Event, ...]:
        """Return the events that end an open action and the camera."""
        closing: list[Event] = []
        if self.seq > 1 and (self.seq - 2) % 4 != 3:
            number = (self.seq - 2) // 4
            self.seq += 1
            closing = [self._action_event("end", f"{self.run_id}/{self.camera_id}/{number}")]
        self.seq += 1
        return (*closing, self._camera_event("camera_down"))

    def _camera_event(self, kind: str) -> Event:
        return CameraEvent.model_validate(
            self._common() | {"kind": kind, "pts_s": 0.0, "time": None}
        )

    def _action_event(self, kind: str, instance_id: str) -> Event:
        fields = {
            "kind": kind,
            "instance_id": instance_id,
            "track_id": 1,
            "action": "walk",
            "score": 0.9,
            "peak_score": 0.9,
            "start_pts_s": 1.0,
            "end_pts_s": 2.0,
            "start_time": None,
            "end_time": None,
            "frame_index": 0,
            "xyxy": (0.0, 0.0, 10.0, 20.0),
            "frame_wh": (64, 48),
            "model": "chaos",
            "latency_ms": {},
        }
        return ActionEvent.model_validate(self._common() | fields)

    def _common(self) -> dict[str, object]:
        return {
            "event_id": f"{self.run_id}/{self.camera_id}/{self.seq}",
            "camera_id": self.camera_id,
            "run_id": self.run_id,
            "seq": self.seq,
        }


def consume(name: str, url: str, folder: Path, claim_after_s: float, pause_s: float) -> None:
    """Record events as a member of the group, until SIGTERM.

    Args:
        name: name of the consumer.
        url: URL of the Redis server.
        folder: records of the run.
        claim_after_s: idle time in seconds after which entries of other consumers are claimed.
        pause_s: time between two events, in seconds.
    """
    consumed = (folder / f"consumed-{name}").open("a")
    reported = (folder / f"reported-{name}").open("a")

    def record_report(report: Report) -> None:
        reported.write(f"{type(report).__name__} {report}\n")
        reported.flush()

    with consumed, reported:
        subscriber = Subscriber(
            url,
            stream=STREAM,
            group=GROUP,
            consumer=name,
            start="0",
            wanted=EventFilter(kinds=("start", "update", "end", "camera_up", "camera_down")),
            claim_after_s=claim_after_s,
            max_tries=1000,
            on_report=record_report,
        )
        signal.signal(signal.SIGTERM, lambda *_: subscriber.stop())
        print("ready", flush=True)
        for event in subscriber:
            consumed.write(f"{event.origin} {event.seq}\n")
            consumed.flush()
            time.sleep(pause_s)
        subscriber.close()


def main(arguments: list[str]) -> None:
    """Run one process; see the module."""
    command, name, url, folder, *numbers = arguments
    if command == "publish":
        rate, *maxlen = numbers
        publish(name, url, Path(folder), float(rate), *map(int, maxlen))
    else:
        claim_after_s, pause_s = map(float, numbers)
        consume(name, url, Path(folder), claim_after_s, pause_s)


if __name__ == "__main__":
    main(sys.argv[1:])
