"""Rows about zones, on a stream of their own; no stage of the pipeline waits for Redis.

A row is held in memory until Redis has it, and is then on the stream once, however often it was
sent. Unlike events, rows do not survive the process.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from pipeline.config.delivery import RedisConfig
from pipeline.errors import EventStoreError
from pipeline.outputs.sinks import ClosingSink
from pipeline.redaction import mask_url
from pipeline.redis_store.connection import connect, reporting
from pipeline.redis_store.names import counts_numbers
from pipeline.rules.occupancy import OccupancyMeter
from pipeline.runtime.backoff import next_pause_s
from pipeline.types import DecidedEnd, DecidedFrame, Frame
from pipeline.zone_minutes import COUNTS_FIELD, ZoneMinute

MOST_WAITING = 50_000  # rows, about 20 MB; the oldest are dropped first
REMEMBER_S = 7 * 86_400  # for which the server knows a run's numbers after its last row
_BATCH = 200  # rows per round trip
_BACKOFF_S = (0.5, 10.0)  # pauses between attempts, seconds
_LIVE_END_S = 1.5  # wait at the end of a run that a server may not hold up

# KEYS: stream, newest number by camera. ARGV: entries kept, milliseconds to remember the numbers,
# field; then per row: camera, number, text. One script, so that a number is known exactly if its
# row is on the stream.
_APPEND = """
for i = 4, #ARGV, 3 do
  local newest = tonumber(redis.call('HGET', KEYS[2], ARGV[i]) or '0')
  if tonumber(ARGV[i + 1]) > newest then
    redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', ARGV[3], ARGV[i + 2])
    redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
  end
end
redis.call('PEXPIRE', KEYS[2], ARGV[2])
"""

log = logging.getLogger(__name__)


class CountsStream:
    """The writing side of the stream of rows; for one thread.

    Args:
        url: of the server.
        stream: its key.
        maxlen: entries kept, approximately.
        run_id: of the run whose rows are written.

    Raises:
        EventStoreError: if `url` is no Redis URL.
    """

    def __init__(self, url: str, stream: str, maxlen: int, run_id: str) -> None:
        self.name, self._stream, self._maxlen = mask_url(url), stream, maxlen
        self._numbers = counts_numbers(stream, run_id)
        self._client = connect(url, socket_timeout_s=2.0, retries=2)  # a row is added once

    def append(self, rows: Sequence[ZoneMinute]) -> None:
        """Append the rows that are not on the stream.

        Args:
            rows: of any cameras of the run, those of each in order.

        Raises:
            EventStoreError: if the server refuses or does not answer; a part may be appended.
        """
        arguments = [str(self._maxlen), str(1000 * REMEMBER_S), COUNTS_FIELD]
        for row in rows:
            arguments += (row.camera_id, str(row.seq), row.encode())
        with reporting(self.name, self._client):
            self._client.eval(_APPEND, 2, self._stream, self._numbers, *arguments)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


class CountsSink(ClosingSink):
    """Count the zones of each camera and send a row per zone and minute.

    Args:
        stream: used by the sink's thread alone.
        run_id: of the run.
        clock: Unix seconds at which a camera saw a frame; None: rows are of minutes of media time.
        most_waiting: rows that wait for the server at most.
    """

    def __init__(
        self,
        stream: CountsStream,
        run_id: str,
        clock: Callable[[Frame], float | None],
        *,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self._stream, self._run_id, self._clock = stream, run_id, clock
        self._meters: dict[str, OccupancyMeter] = {}
        self._waiting: deque[ZoneMinute] = deque()
        self._most_waiting = most_waiting
        self._lock = threading.Lock()
        self._work, self._stopping = threading.Event(), threading.Event()
        self._drained = threading.Event()
        self._dropped = 0
        self._failing = False
        self._thread = threading.Thread(target=self._run, name="counts", daemon=True)

    def start(self) -> None:
        """Start the thread that sends rows."""
        self._thread.start()

    def write(self, item: DecidedFrame | DecidedEnd) -> None:
        """Count an item; see `Sink.write`."""
        meter = self._meters.get(item.camera_id)
        if meter is None:
            meter = OccupancyMeter(self._run_id, item.camera_id, self._clock)
            self._meters[item.camera_id] = meter
        if rows := meter.count(item):
            self._put(rows)

    def finish(self, wait_s: float, cancelled: threading.Event) -> int:
        """End the thread once Redis has every row, or after a while; return how many it lacks.

        Args:
            wait_s: longest wait, seconds.
            cancelled: ends the wait when set.
        """
        deadline = time.monotonic() + wait_s
        while self._waiting and time.monotonic() < deadline and not cancelled.is_set():
            self._work.set()
            self._drained.wait(0.05)
        self._stopping.set()
        self._work.set()
        self._thread.join(0.2)  # one that waits for nothing ends immediately
        while self._thread.is_alive() and time.monotonic() < deadline and not cancelled.is_set():
            self._thread.join(0.05)
        if not self._thread.is_alive():  # else it waits for a server, and ends with the process
            self._stream.close()
        return len(self._waiting)

    def close(self) -> None:
        """Do nothing: `deliver_counts` finishes it."""

    def _put(self, rows: Sequence[ZoneMinute]) -> None:
        with self._lock:
            self._waiting.extend(rows)
            while len(self._waiting) > self._most_waiting:
                self._waiting.popleft()
                self._dropped += 1
            self._drained.clear()
        self._work.set()

    def _run(self) -> None:
        pause_s = 0.0
        while not self._stopping.is_set():
            self._work.wait()
            self._work.clear()
            while self._waiting and not self._stopping.wait(pause_s):
                pause_s = self._send(pause_s)
            self._drained.set()

    def _send(self, last_pause_s: float) -> float:
        """Send a batch; return the pause before the next attempt, seconds."""
        with self._lock:
            batch = [self._waiting[n] for n in range(min(_BATCH, len(self._waiting)))]
        try:
            self._stream.append(batch)
        except EventStoreError as error:
            if not self._failing:
                log.warning("%s; rows of zones wait in memory", error)
            self._failing = True
            first_s, longest_s = _BACKOFF_S
            return next_pause_s(last_pause_s, first_s=first_s, longest_s=longest_s)
        sent = {row.row_id for row in batch}
        with self._lock:
            while self._waiting and self._waiting[0].row_id in sent:
                self._waiting.popleft()
            dropped, self._dropped = self._dropped, 0
        if self._failing or dropped:
            log.warning("%s takes rows of zones again; %d were dropped", self._stream.name, dropped)
        self._failing = False
        return 0.0


@contextmanager
def deliver_counts(
    url: str,
    section: RedisConfig,
    run_id: str,
    clock: Callable[[Frame], float | None],
    cancelled: threading.Event,
    *,
    is_live: bool,
) -> Iterator[CountsSink]:
    """Yield the sink that counts zones; what Redis lacks at the end is lost, and said.

    Args:
        url: of the server.
        section: the stream of the rows, its length, and how long a replay waits at its end.
        run_id: of this run.
        clock: see `CountsSink`.
        cancelled: ends the wait at the end when set.
        is_live: the end does not wait for a server.

    Raises:
        EventStoreError: if `url` is no Redis URL.
    """
    assert section.counts_stream is not None
    stream = CountsStream(url, section.counts_stream, section.counts_maxlen, run_id)
    sink = CountsSink(stream, run_id, clock)
    sink.start()
    try:
        yield sink
    finally:
        wait_s = min(section.wait_s, _LIVE_END_S) if is_live else section.wait_s
        if missing := sink.finish(wait_s, cancelled):
            log.warning("%s lacks %d rows of zones; they are lost", stream.name, missing)
