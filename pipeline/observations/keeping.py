"""The stage that keeps observations, between recognition and decisions, and its thread's queue."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Generator, Iterable
from dataclasses import replace

from pipeline.observations.carried_ends import CarriedEnds
from pipeline.observations.recorded_run import NumberedItem
from pipeline.observations.writer import ObservationWriter
from pipeline.runtime.channel import ChannelCancelled
from pipeline.types import RecognizedFrame, StreamEnd

CAPACITY = 2_000  # items; without pixels, a few megabytes

log = logging.getLogger(__name__)


class ObservationQueue:
    """Items on their way to the writer, which has a thread of its own.

    Args:
        waits: `put` waits while the queue is full, so that nothing is lost; False: a frame that
            finds it full is dropped and counted, so that a slow disk delays nothing. Ends, and
            which tracks ended, are never dropped.
        capacity: frames that wait.
    """

    def __init__(self, *, waits: bool, capacity: int = CAPACITY) -> None:
        self.dropped = 0
        self._waits, self._capacity = waits, capacity
        self._items: deque[NumberedItem] = deque()
        self._carried = CarriedEnds()
        self._finished = self._cancelled = False
        self._changed = threading.Condition()

    def put(self, one: NumberedItem) -> None:
        """Append an item.

        Raises:
            ChannelCancelled: after `cancel`, if the queue is one that waits.
        """
        with self._changed:
            if self._waits:
                self._changed.wait_for(lambda: self._cancelled or not self._is_full)
                if self._cancelled:
                    raise ChannelCancelled
            elif self._is_full and not isinstance(one.item, StreamEnd):
                self._drop(one.item)
                return
            if not self._cancelled:
                self._items.append(self._carried.added_to(one))
                self._changed.notify_all()

    def finish(self) -> None:
        """Declare that no more items follow; a second call does nothing."""
        with self._changed:
            self._finished = True
            self._changed.notify_all()

    def cancel(self) -> None:
        """Drop everything and wake both sides: the writer has failed."""
        with self._changed:
            self._cancelled = True
            self._items.clear()
            self._changed.notify_all()

    def __len__(self) -> int:
        with self._changed:
            return len(self._items)

    def take(self, timeout_s: float) -> list[NumberedItem] | None:
        """Take everything that waits, after a wait for the first item.

        Args:
            timeout_s: longest wait, seconds.

        Returns:
            None if no more items follow; nothing in the list if none came in time.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: self._items or self._finished or self._cancelled, timeout_s
            )
            if not self._items and (self._finished or self._cancelled):
                return None
            taken = list(self._items)
            self._items.clear()
            self._changed.notify_all()
            return taken

    @property
    def _is_full(self) -> bool:
        return len(self._items) >= self._capacity

    def _drop(self, lost: RecognizedFrame) -> None:
        self._carried.keep(lost)
        if not self.dropped:
            log.error("observations: the disk is too slow, frames are missing in them")
        self.dropped += 1


def keep_observations(
    items: Iterable[RecognizedFrame | StreamEnd], queue: ObservationQueue
) -> Generator[RecognizedFrame | StreamEnd, None, None]:
    """Pass every item on unchanged, and give it to the writer's queue, without its pixels.

    Args:
        items: of the recognition stage.
        queue: finished when the stage ends, however it ends.
    """
    try:
        for number, item in enumerate(items):
            queue.put(NumberedItem(number, _without_pixels(item)))
            yield item
    finally:
        queue.finish()


def _without_pixels(item: RecognizedFrame | StreamEnd) -> RecognizedFrame | StreamEnd:
    if isinstance(item, StreamEnd):
        return item
    return replace(item, tracked=replace(item.tracked, frame=item.tracked.frame.without_pixels()))


def write_observations(queue: ObservationQueue, writer: ObservationWriter) -> None:
    """Write what comes through the queue until it is finished: the body of the writer's thread.

    Raises:
        PipelineError: if it cannot be written and the writer is not tolerant.
    """
    try:
        while (taken := queue.take(writer.due_in_s)) is not None:
            for one in taken:
                writer.add(one)
            if not writer.due_in_s:
                writer.flush()
        writer.close()
    finally:
        queue.cancel()  # after an error: a stage that waits for room waits in vain
    missing = queue.dropped + writer.missing
    if missing:
        log.warning("observations: %d frames are missing in them", missing)
