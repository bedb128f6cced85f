"""The queue between the cameras and the detector: the newest frames of each camera."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator

from pipeline.runtime.channel import ChannelCancelled
from pipeline.telemetry.run_status import RunStatus
from pipeline.types import Frame, StreamEnd


class LatestFrames:
    """Hold a short queue per camera; `put` never waits, and the consumer takes from all in turn.

    A camera cannot displace another camera's frames. When the detector is too slow, every camera
    loses the same number of frames, and none of them is delayed.

    Args:
        per_camera: most frames that wait per camera; a newer one displaces the oldest.
        max_staleness_s: a frame that waited for longer is dropped, seconds.
        status: counts what is dropped and what is taken.
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
        self._queues: dict[str, deque[Frame | StreamEnd]] = {}  # in the order of their turns
        self._open = 0  # cameras
        self._no_more_cameras = self._cancelled = False
        self._changed = threading.Condition()  # re-entrant: a signal handler may cancel
        self.busy_since: float | None = None  # monotonic: when the consumer got its batch

    def add_camera(self) -> None:
        """Expect the frames of one more camera, up to its `finish`."""
        with self._changed:
            self._open += 1

    def close(self) -> None:
        """Expect no further camera: the consumer ends when the last open one has finished."""
        with self._changed:
            self._no_more_cameras = True
            self._changed.notify_all()

    def cancel(self) -> None:
        """Drop everything and end the consumer and the producers."""
        with self._changed:
            self._cancelled = True
            self._queues.clear()
            self._changed.notify_all()

    def __len__(self) -> int:
        with self._changed:
            return sum(map(len, self._queues.values()))

    def put(self, item: Frame | StreamEnd) -> None:
        """Append an item to its camera's queue, without waiting.

        Raises:
            ChannelCancelled: after `cancel`.
        """
        with self._changed:
            if self._cancelled:
                raise ChannelCancelled
            queue = self._queues.setdefault(item.camera_id, deque())
            waiting = [one for one in queue if isinstance(one, Frame)]
            if isinstance(item, Frame) and len(waiting) >= self._per_camera:
                queue.remove(waiting[0])
                self._status.dropped(item.camera_id, "full")
            queue.append(item)
            self._changed.notify_all()

    def finish(self) -> None:
        """Close one camera that was added; its last item has been put."""
        with self._changed:
            self._open -= 1
            self._changed.notify_all()

    def batches(self, max_size: int) -> Iterator[list[Frame | StreamEnd]]:
        """Yield lists of waiting items with at most one frame per camera; wait for the first.

        Frames that waited for longer than `max_staleness_s` are dropped. The iterator ends after
        `close`, when all cameras have finished.

        Args:
            max_size: most frames in a list.
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
                self._queues[camera_id] = queue  # behind the others, whose turn it is
        if ages:
            self._status.entered_detection(ages)
        return batch

    def _next_of(
        self, camera_id: str, queue: deque[Frame | StreamEnd], now: float
    ) -> Iterator[Frame | StreamEnd]:
        """Yield the ends of the stream before its next frame, and that frame."""
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
