"""Where live frames wait for the detector: the newest few of each camera, and none for long."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator

from pipeline.runtime.channel import ChannelCancelled
from pipeline.telemetry.run_status import RunStatus
from pipeline.types import Frame, StreamEnd


class LatestFrames:
    """A queue per camera; putting never waits, and a slow consumer takes from all in turn.

    So a camera cannot push out another one's frames, and when the detector is too slow every
    camera is looked at less often, each by the same number of frames, and none of them later.

    Args:
        per_camera: frames that wait at most; the oldest of the same camera goes first.
        max_staleness_s: a frame that waited longer is left out.
        status: told of what is left out and what is taken.
        now: Unix seconds.
    """

    def __init__(
        self,
        per_camera: int,
        max_staleness_s: float,
        status: RunStatus,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._per_camera, self._max_staleness_s = per_camera, max_staleness_s
        self._status, self._now = status, now
        self._queues: dict[str, deque[Frame | StreamEnd]] = {}  # the one to take from first, first
        self._open = 0
        self._no_more_cameras = self._cancelled = False
        self._changed = threading.Condition()  # re-entrant: a signal handler may cancel
        self.busy_since: float | None = None  # monotonic: when the consumer last got something

    def port(self, camera_id: str, stop: threading.Event) -> MailboxPort:
        """Where one camera's reader puts its frames; `stop` ends the reader."""
        with self._changed:
            self._open += 1
        return MailboxPort(self, camera_id, stop)

    def close(self) -> None:
        """No further camera is added: with the last one's end everything ends."""
        with self._changed:
            self._no_more_cameras = True
            self._changed.notify_all()

    def cancel(self) -> None:
        """Drop everything and wake the consumer."""
        with self._changed:
            self._cancelled = True
            self._queues.clear()
            self._changed.notify_all()

    def __len__(self) -> int:
        with self._changed:
            return sum(map(len, self._queues.values()))

    def put(self, camera_id: str, item: Frame | StreamEnd) -> None:
        """Called by a port."""
        with self._changed:
            if self._cancelled:
                raise ChannelCancelled
            queue = self._queues.setdefault(camera_id, deque())
            waiting = [one for one in queue if isinstance(one, Frame)]
            if isinstance(item, Frame) and len(waiting) >= self._per_camera:
                queue.remove(waiting[0])
                self._status.dropped(camera_id, "full")
            queue.append(item)
            self._changed.notify_all()

    def finish(self) -> None:
        """Called by a port: its camera has ended."""
        with self._changed:
            self._open -= 1
            self._changed.notify_all()

    def batches(self, max_size: int) -> Iterator[list[Frame | StreamEnd]]:
        """What waits, at most one frame per camera and `max_size` frames at a time.

        A frame that waited too long is passed over. Ends when all cameras have ended and no
        further one is added, never because nothing waits for a moment.
        """
        while True:
            self.busy_since = None
            with self._changed:
                self._changed.wait_for(lambda: self._queues or self._is_over())
                if not self._queues:
                    return
                batch = self._take(max_size)
            if batch:
                self.busy_since = time.monotonic()
                yield batch

    def _take(self, max_size: int) -> list[Frame | StreamEnd]:
        now, batch, ages = self._now(), list[Frame | StreamEnd](), dict[str, float]()
        for camera_id in list(self._queues):
            if len(ages) == max_size:
                break
            queue = self._queues.pop(camera_id)
            for item in self._next_of(camera_id, queue, now):
                batch.append(item)
                if isinstance(item, Frame):
                    ages[camera_id] = now - item.captured_at
            if queue:
                self._queues[camera_id] = queue  # behind the others: it is their turn
        if ages:
            self._status.entered_detection(ages)
        return batch

    def _next_of(
        self, camera_id: str, queue: deque[Frame | StreamEnd], now: float
    ) -> Iterator[Frame | StreamEnd]:
        """Ends of the stream up to its next frame, and that frame."""
        while queue:
            item = queue.popleft()
            if isinstance(item, StreamEnd):
                yield item
            elif now - item.decoded_at > self._max_staleness_s:
                self._status.dropped(camera_id, "stale")
            else:
                yield item
                return

    def _is_over(self) -> bool:
        return self._cancelled or (self._no_more_cameras and self._open == 0)


class MailboxPort:
    """One camera's way into the mailbox."""

    def __init__(self, mailbox: LatestFrames, camera_id: str, stop: threading.Event) -> None:
        self._mailbox, self._camera_id, self._stop = mailbox, camera_id, stop

    def put(self, item: Frame | StreamEnd) -> None:
        """See `LatestFrames`; never waits."""
        self._mailbox.put(self._camera_id, item)

    def finish(self) -> None:
        """The camera is watched no longer."""
        self._mailbox.finish()

    def cancel(self) -> None:
        """The run is torn down: end the reader, which may wait for its camera, and the mailbox."""
        self._stop.set()
        self._mailbox.cancel()
