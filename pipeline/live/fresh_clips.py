"""Where live clips wait for the recognizer: as long as they are news, and no longer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from pipeline.runtime.channel import Channel
from pipeline.telemetry.run_status import RunStatus
from pipeline.types import ClippedFrame, StreamEnd

Item = ClippedFrame | StreamEnd


MOST_CLIPS = 200  # about 100 MiB of the compact recognizer's


class FreshClips(Channel[Item]):
    """Frames pass in order, all of them; what a slow recognizer cannot manage are their clips.

    Putting never waits, so that the detector goes on. A clip that waited for longer than
    `max_staleness_s` is taken off its frame: the track behind it is scored less often, and what is
    said of it is never old. A frame itself carries who left, and must not be lost.

    Args:
        max_staleness_s: longest wait of a clip.
        status: told of what is taken and what had become too old.
        now: Unix seconds.
    """

    def __init__(
        self, max_staleness_s: float, status: RunStatus, now: Callable[[], float] = time.time
    ) -> None:
        super().__init__(capacity=None)
        self._max_staleness_s, self._status, self._now = max_staleness_s, status, now
        self.busy_since: float | None = None  # monotonic: when the consumer last got something

    def put(self, item: Item) -> None:
        """See `Channel.put`; a consumer that hangs does not make the clips pile up."""
        with self._changed:
            super().put(item)
            if len(self) > MOST_CLIPS:
                index = next(n for n, one in enumerate(self._items) if _clips(one))
                self._status.entered_recognition(0, _clips(self._items[index]))
                self._items[index] = _without_clips(self._items[index])

    def __len__(self) -> int:
        """Clips that wait."""
        with self._changed:
            return sum(_clips(item) for item in self._items)

    def batches(self, max_size: int) -> Iterator[list[Item]]:
        """What waits, up to `max_size` clips or one frame's: those of a frame stay together."""
        while True:
            self.busy_since = None
            with self._changed:
                self._changed.wait_for(lambda: self._items or self._is_over())
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
            if isinstance(item, ClippedFrame) and _clips(item) and item.clipped_at < oldest_at:
                dropped += _clips(item)
                item = _without_clips(item)
            if clips and _clips(item) and clips + _clips(item) > max_clips:
                break
            self._items.popleft()
            clips += _clips(item)
            batch.append(item)
        self._status.entered_recognition(clips, dropped)
        return batch


def _without_clips(item: Item) -> Item:
    return item if isinstance(item, StreamEnd) else replace(item, clips=(), scene=None)


def _clips(item: Item) -> int:
    if isinstance(item, StreamEnd):
        return 0
    return len(item.clips) + (item.scene is not None)
