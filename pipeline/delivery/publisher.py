"""The thread that moves events from disk to Redis; no stage of the pipeline waits for it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from pipeline.delivery.camera_heartbeat import CameraHeartbeat
from pipeline.delivery.storage.outbox import Outbox
from pipeline.delivery.storage.outbox_file import StoredEvent
from pipeline.delivery.storage.outbox_folder import run_of
from pipeline.delivery.stream_writer import EventStream
from pipeline.errors import EventStoreError, OutboxError
from pipeline.events import EventError, SequenceGap
from pipeline.runtime.backoff import next_pause_s

BATCH = 200  # events per round trip
# How long events stay on disk after Redis acknowledged them. A server that is killed or fails over
# may come back without its newest events; they are then sent again.
KEEP_DELIVERED_S = 60.0
# The same for a whole outbox of an earlier run, whose cameras send nothing that would show the gap:
# with appendfsync everysec a server has its events on disk after two seconds, and is then asked.
_SETTLE_S = 3.0
HEARTBEAT_S = 1.0
_BACKOFF_S = (0.1, 5.0)
_LOG_INTERVAL_S = 5.0

log = logging.getLogger(__name__)


@dataclass(slots=True)
class PublisherCounts:
    """Counters of a publisher; read from any thread."""

    delivered: int = 0  # events put on the stream
    repeated: int = 0  # sent, but on the stream already
    missing: int = 0  # gaps on the stream: dropped on disk, or lost by the server for good
    differing: int = 0  # set aside: the server has another event under the same number
    outages: int = 0


class Publisher:
    """Moves the events of outboxes to a stream, one outbox after the other.

    Args:
        outboxes: those of earlier runs, oldest first; what is open in each is ended, and each is
            removed when Redis has all of it. The last one is that of this run, and stays.
        stream: used by this thread only.
        heartbeat: state of the cameras; None where no run goes with the events.
        now: clock, Unix seconds.
        published: called with every event of this run that Redis has, and the Unix time of it.
        has_own: False if the last outbox is of an earlier run, too.

    Attributes:
        counts: what happened so far.
        last_error: why nothing can be delivered now; None while events are accepted.
    """

    def __init__(
        self,
        outboxes: Sequence[Outbox],
        stream: EventStream,
        heartbeat: CameraHeartbeat | None = None,
        now: Callable[[], float] = time.time,
        published: Callable[[StoredEvent, float], None] = lambda event, at: None,
        *,
        has_own: bool = True,
    ) -> None:
        self.counts = PublisherCounts()
        self.last_error: str | None = None
        self._own = outboxes[-1] if has_own else None
        self._earlier = list(outboxes[:-1] if has_own else outboxes)
        self._settling: list[tuple[Outbox, float]] = []  # delivered; monotonic seconds when asked
        self._rewound: tuple[Outbox, str, int] | None = None
        self._stream, self._heartbeat, self._now = stream, heartbeat, now
        self._published, self._published_id = published, 0
        self._work, self._drained = threading.Event(), threading.Event()
        self._stopping = threading.Event()
        self._failure: BaseException | None = None
        self._beat_at = 0.0
        self._warned = False
        self._thread = threading.Thread(target=self._run, name="publish", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def wake(self) -> None:
        """Notify the thread of new events in the outbox."""
        self._drained.clear()
        self._work.set()

    def drain(
        self,
        timeout_s: float,
        cancelled: threading.Event | None = None,
        at_most_s: float = float("inf"),
    ) -> int:
        """Wait until Redis has every event.

        Args:
            timeout_s: longest wait without progress, seconds.
            cancelled: ends the wait when set.
            at_most_s: longest wait in all, seconds.

        Returns:
            How many events Redis lacks.
        """
        began_at = moved_at = logged_at = time.monotonic()
        progress = -1
        self.wake()
        while self._thread.is_alive():
            if self._drained.wait(0.05):
                if self.waiting == 0:
                    break
                self.wake()  # events came after its last check
            now, done = time.monotonic(), self.counts.delivered + self.counts.repeated
            if done != progress:
                progress, moved_at = done, now
            timed_out = now - moved_at >= timeout_s or now - began_at >= at_most_s
            if timed_out or (cancelled is not None and cancelled.is_set()):
                break
            if now - logged_at >= _LOG_INTERVAL_S:
                logged_at = now
                log.info("%d events wait for %s", self.waiting, self._stream.name)
        return self.waiting

    def check(self) -> None:
        """Raise the exception that ended the thread, if there was one."""
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """End the thread after its current batch; undelivered events stay on disk.

        Raises:
            Exception: the one that ended the thread, if there was one.
        """
        self._stopping.set()
        self._work.set()
        self._thread.join()
        self.check()
        for outbox, _ in self._settling:  # else the next run looks after it
            with suppress(EventStoreError):
                if self._has_all(outbox):
                    outbox.remove()

    @property
    def waiting(self) -> int:
        """Events that Redis lacks, with the ends of what earlier runs left open."""
        # An earlier outbox that is not removed yet has at least something to be checked.
        earlier = sum(max(1, outbox.waiting + outbox.unfinished) for outbox in self._earlier)
        return earlier + (0 if self._own is None else self._own.waiting)

    @property
    def disk_error(self) -> str | None:
        """Why the disk takes no events of this run now; None while it does."""
        return None if self._own is None else self._own.disk_error

    def _run(self) -> None:
        try:
            pause_s = 0.0
            while not self._stopping.wait(pause_s):
                pause_s = self._step(pause_s)
        except BaseException as error:  # raised again by `check`
            log.error("publishing ended: %s", error)
            self._failure = error

    def _step(self, last_pause_s: float) -> float:
        """Deliver a batch, or wait for one; returns the pause before the next attempt, seconds."""
        self._work.clear()
        try:
            if not self._warned:
                self._warn()
            if self._deliver() == 0:
                self._rest()
            self._remove_settled()
            self._beat()
        except (EventStoreError, OutboxError) as error:
            if self.last_error is None:
                self.counts.outages += 1
                log.warning("%s; events wait", error)
            self.last_error = str(error)
            first_s, longest_s = _BACKOFF_S
            return next_pause_s(last_pause_s, first_s=first_s, longest_s=longest_s)
        if self.last_error is not None:
            log.warning("%s accepts events again; %d wait", self._stream.name, self.waiting)
            self.last_error = None
        return 0.0

    def _warn(self) -> None:
        """Log what is risky in the settings of the server, once it answers."""
        self._stream.ping()
        for warning in self._stream.warnings():
            log.warning("%s", warning)
        self._warned = True

    def _rest(self) -> None:
        """Delete delivered events, then wait for new ones or the next heartbeat."""
        if self._earlier:
            if not self._end_what_is_open(self._earlier[0]):
                self._settling.append((self._earlier.pop(0), time.monotonic() + _SETTLE_S))
            return
        if self._own is not None:
            self._own.forget(KEEP_DELIVERED_S)
        if not self._drained.is_set():
            self._wait_until_saved()
            self._beat_at = 0.0  # the run may end now: send the last state
            self._beat()
            self._drained.set()
        self._work.wait(HEARTBEAT_S)

    def _end_what_is_open(self, outbox: Outbox) -> int:
        """Append the ends of what an earlier run left open; returns how many there are.

        After a power cut the server may have events that the disk has lost. Their numbers are
        used: the ends follow behind them.
        """
        numbers = outbox.numbers()
        for origin, newest in self._newest_of(outbox).items():
            if newest > numbers.get(origin, 0):
                self._learn(outbox, origin, numbers.get(origin, 0), newest)
        try:
            ended = outbox.interrupt()
        except EventError as error:
            log.warning("%s: the open actions in it cannot be ended: %s", outbox.path, error)
            return 0
        if ended:
            log.warning("%s: %d events end what its run left open", outbox.path, ended)
        return ended

    def _newest_of(self, outbox: Outbox) -> dict[str, int]:
        """Return the newest numbers that the server knows of the cameras of an outbox."""
        own = (origin.partition("/")[0] for origin in outbox.numbers())
        runs = sorted({run_of(outbox.path), *own})
        return {
            origin: seq
            for run_id in runs
            for origin, seq in self._stream.newest_of_run(run_id).items()
        }

    def _has_all(self, outbox: Outbox) -> bool:
        newest = self._newest_of(outbox)
        return all(newest.get(origin, 0) >= seq for origin, seq in outbox.numbers().items())

    def _remove_settled(self) -> None:
        """Remove the outboxes of earlier runs that the server still has all of."""
        while self._settling and time.monotonic() >= self._settling[0][1]:
            outbox = self._settling[0][0]
            if self._has_all(outbox):
                outbox.remove()
            else:
                log.warning(
                    "%s came back without its newest events; those in %s are sent again",
                    self._stream.name,
                    outbox.path,
                )
                outbox.delivered_id = 0
                self._earlier.append(outbox)
            self._settling.pop(0)

    def _learn(self, outbox: Outbox, origin: str, own: int, newest: int) -> None:
        events = self._stream.events_behind(origin, own, newest)
        log.warning(
            "%s has lost the events %d to %d of %s, as in a power cut; %s has them",
            outbox.path,
            own + 1,
            newest,
            origin,
            self._stream.name,
        )
        if len(events) < newest - own:
            log.error(
                "%d of them are no longer on the stream: what began in them stays open",
                newest - own - len(events),
            )
        outbox.learn(origin, newest, events)

    def _wait_until_saved(self) -> None:
        # With appendfsync everysec a busy disk may delay the file for two seconds.
        deadline = time.monotonic() + 3.0
        while self._stream.unsaved_bytes() and time.monotonic() < deadline:
            time.sleep(0.02)

    def _deliver(self) -> int:
        """Send the next batch; returns the number of its events."""
        outbox = self._earlier[0] if self._earlier else self._own
        if outbox is None:
            return 0
        events = outbox.after(outbox.delivered_id, BATCH)
        if not events:
            return 0
        appended = self._stream.append(events)
        done = appended.added + appended.known
        self.counts.delivered += appended.added
        self.counts.repeated += appended.known
        if done:
            outbox.delivered_id = events[done - 1].id
        for index in appended.differing:
            self._set_aside(outbox, events[index])
        if outbox is self._own:
            self._report_published(events[:done])
        if appended.gap is not None:
            self._recover(outbox, appended.gap, events[done])
        elif appended.added:
            self._rewound = None
        return len(events)

    def _report_published(self, events: Sequence[StoredEvent]) -> None:
        delivered_at = self._now()
        for event in events:
            if event.id > self._published_id:  # else the server lost it and it was sent again
                self._published_id = event.id
                self._published(event, delivered_at)

    def _set_aside(self, outbox: Outbox, event: StoredEvent) -> None:
        self.counts.differing += 1
        outbox.quarantine(
            event,
            f"{self._stream.name} has another event as number {event.seq} of {event.origin}, "
            "and perhaps others before it: two runs have used one run id, or an older copy of "
            "an outbox was put back",
        )

    def _recover(self, outbox: Outbox, gap: SequenceGap, refused: StoredEvent) -> None:
        """Send again what the server has lost; what the outbox lacks too is missing for good."""
        first = outbox.next_of(gap.origin, gap.first_seq - 1)
        rewound = (outbox, gap.origin, gap.first_seq)
        # To the same place a second time, with nothing appended between: it would never end.
        if first is not None and first.id < refused.id and rewound != self._rewound:
            self._rewound = rewound
            log.warning(
                "%s came back without its newest events; they are sent again from %s number %d",
                self._stream.name,
                gap.origin,
                first.seq,
            )
            outbox.delivered_id = first.id - 1
            return
        missing = gap.last_seq - gap.first_seq + 1
        self.counts.missing += missing
        log.error(
            "%d events of %s are missing on %s: numbers %d to %d",
            missing,
            gap.origin,
            self._stream.name,
            gap.first_seq,
            gap.last_seq,
        )
        outbox.accept_gap(refused.id, gap.first_seq - 1)

    def _beat(self) -> None:
        if self._heartbeat is not None and time.monotonic() >= self._beat_at:
            self._beat_at = time.monotonic() + HEARTBEAT_S
            for camera_id, fields, ttl_s in self._heartbeat.collect():
                self._stream.set_camera(camera_id, fields, ttl_s)
