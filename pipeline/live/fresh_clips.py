"""The queue between the tracks and a slow recognizer: every frame, but only fresh clips."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace

from pipeline.runtime.channel import ChannelCancelled
from pipeline.telemetry.run_status import RunStatus
from pipeline.types import ClippedFrame, StreamEnd

Item = ClippedFrame | StreamEnd

MOST_CLIPS = 200  # about 100 MiB of the compact recognizer's


class FreshClips:
    """Hold frames in order; `put` never waits, and clips that wait for too long are dropped.

    A dropped clip is removed from its frame: its track is scored less often, but never late. The
    frame itself stays, because it carries which tracks have ended.

    Args:
        max_staleness_s: longest wait of a clip, seconds.
        status: counts the clips that are taken and dropped.
        now: Unix seconds.
    """

    def __init__(
        self, max_staleness_s: float, status: RunStatus, now: Callable[[], float] = time.time
    ) -> None:
        self._max_staleness_s, self._status, self._now = max_staleness_s, status, now
        self._items: deque[Item] = deque()
        self._finished = self._cancelled = False
        self._changed = threading.Condition()  # re-entrant: a signal handler may cancel
        self.busy_since: float | None = None  # monotonic: when the consumer got its batch

    def put(self, item: Item) -> None:
        """Append an item, without waiting; above `MOST_CLIPS` the oldest clips are dropped.

        Raises:
            ChannelCancelled: after `cancel`.
        """
        with self._changed:
            if self._cancelled:
                raise ChannelCancelled
            self._items.append(item)
            if len(self) > MOST_CLIPS:
                index = next(n for n, one in enumerate(self._items) if _count_clips(one))
                self._status.entered_recognition(0, _count_clips(self._items[index]))
                self._items[index] = _without_clips(self._items[index])
            self._changed.notify_all()

    def finish(self) -> None:
        """Expect no further item; the consumer ends when it has taken what waits."""
        with self._changed:
            self._finished = True
            self._changed.notify_all()

    def cancel(self) -> None:
        """Drop everything and end both sides."""
        with self._changed:
            self._cancelled = True
            self._items.clear()
            self._changed.notify_all()

    def __len__(self) -> int:
        """Return the number of waiting clips."""
        with self._changed:
            return sum(map(_count_clips, self._items))

    def batches(self, max_size: int) -> Iterator[list[Item]]:
        """Yield lists of waiting items; wait for the first. The clips of a frame stay together.

        Args:
            max_size: most clips in a list, unless a single frame has more.
        """
        while True:
            self.busy_since = None
            with self._changed:
                self._changed.wait_for(lambda: self._items or self._cancelled or self._finished)
                if not self._items:
                    return
                batch = self._take(max_size)
            self.busy_since = time.monotonic()
            yield batch

    def _take(self, max_clips: int) -> list[Item]:
        batch, clips, dropped = list[Item](), 0, 0
        oldest_at = self._now() - self._max_staleness_s
        while self._items:
            item = self._items[0]
            if (
                isinstance(item, ClippedFrame)
                and _count_clips(item)
                and item.clipped_at < oldest_at
            ):
                dropped += _count_clips(item)
                item = _without_clips(item)
            if clips and _count_clips(item) and clips + _count_clips(item) > max_clips:
                break
            self._items.popleft()
            clips += _count_clips(item)
            batch.append(item)
        self._status.entered_recognition(clips, dropped)
        return batch


def _without_clips(item: Item) -> Item:
    return item if isinstance(item, StreamEnd) else replace(item, clips=(), scene=None)


def _count_clips(item: Item) -> int:
    if isinstance(item, StreamEnd):
        return 0
    return len(item.clips) + (item.scene is not None)
