"""The images of frames on their way through the recognizer, for snapshots of what is decided.

Frames travel without pixels, so that those that wait stay small. Here the pixels of the frames that
may be decided on wait until their frame has been decided on, in a bounded memory.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Generator, Iterable

from pipeline.types import ClippedFrame, Image, StreamEnd


class FrameStore:
    """Images by camera and frame; every method may be called from any thread.

    Args:
        max_bytes: of all images; above it the oldest is dropped. None: unbounded, where the
            queues between the stages are bounded.
        every_frame: a decision may fall at any frame, not only at one with a clip.
    """

    def __init__(self, max_bytes: int | None, *, every_frame: bool) -> None:
        self._max_bytes, self._every_frame = max_bytes, every_frame
        self._images: OrderedDict[tuple[str, int], Image] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        with self._lock:
            return len(self._images)

    def keep(
        self, items: Iterable[ClippedFrame | StreamEnd]
    ) -> Generator[ClippedFrame | StreamEnd, None, None]:
        """Yield the items, and keep the images of those that may be decided on."""
        for item in items:
            if isinstance(item, ClippedFrame) and (
                self._every_frame or item.clips or item.scene is not None
            ):
                frame = item.tracked.frame
                self._put((frame.camera_id, frame.index), frame.image)
            yield item

    def take(self, camera_id: str, index: int) -> Image | None:
        """Return the image of a frame, and release it and all older ones of its camera.

        Returns:
            uint8 (H, W, 3) BGR; None if it was not kept.
        """
        with self._lock:
            found = self._images.get((camera_id, index))
            for key in [key for key in self._images if key[0] == camera_id and key[1] <= index]:
                self._bytes -= self._images.pop(key).nbytes
            return found

    def _put(self, key: tuple[str, int], image: Image) -> None:
        with self._lock:
            # Indices begin again with a camera that a reload removes and adds.
            if (replaced := self._images.pop(key, None)) is not None:
                self._bytes -= replaced.nbytes
            self._images[key] = image
            self._bytes += image.nbytes
            while self._max_bytes is not None and self._bytes > self._max_bytes:
                _, dropped = self._images.popitem(last=False)
                self._bytes -= dropped.nbytes
