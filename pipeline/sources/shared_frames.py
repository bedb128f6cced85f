"""Transfer images from a child process to its parent through shared memory.

The parent owns a ring of slots. The child fills a free slot and announces it on a pipe; the
parent copies the image out and returns the slot. A killed child leaves nothing behind.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.shared_memory import SharedMemory

import numpy as np
from numpy.typing import NDArray

from pipeline.sources.pixel_limit import BYTES_PER_PIXEL, MAX_PIXELS

SLOTS = 4  # images in transit; enough to decode the next ones while the parent copies


@dataclass(frozen=True, slots=True)
class Filled:
    """Child to parent: this slot holds an image."""

    slot: int
    shape: tuple[int, ...]  # (H, W, 3)
    stamp: object  # metadata of the image; picklable


@dataclass(frozen=True, slots=True)
class NeedSlots:
    """Child to parent: the next image needs larger slots; no image is in transit."""

    frame_bytes: int


class SlotOwner:
    """The parent's side: owns the shared memory.

    Args:
        send: sends a message to the child.
        max_pixels: of an image; the child, which may be broken, gets no slots for a larger one.
    """

    def __init__(self, send: Callable[[object], None], max_pixels: int = MAX_PIXELS) -> None:
        self._send = send
        self._max_bytes = max_pixels * BYTES_PER_PIXEL
        self._memory: SharedMemory | None = None

    def copy_out(self, filled: Filled) -> NDArray[np.uint8]:
        """Copy the image out of a slot and return the slot to the child.

        Returns:
            uint8 (H, W, 3), a new array.
        """
        assert self._memory is not None
        slot_bytes = self._memory.size // SLOTS
        view = np.ndarray(filled.shape, np.uint8, self._memory.buf, offset=filled.slot * slot_bytes)
        assert view.nbytes <= slot_bytes
        image: NDArray[np.uint8] = view.copy()
        self._send(filled.slot)
        return image

    def renew(self, need: NeedSlots) -> None:
        """Replace the slots by larger ones.

        Raises:
            OSError: if the system has no memory or file descriptor for them, or the image is too
                large.
        """
        if not 0 < need.frame_bytes <= self._max_bytes:
            raise OSError(errno.EFBIG, "its frames are larger than max_pixels")
        self.release()
        self._memory = SharedMemory(create=True, size=SLOTS * need.frame_bytes)
        self._send(self._memory.name)

    def release(self) -> None:
        """Return the memory to the system; a second call does nothing."""
        if self._memory is not None:
            self._memory.close()
            self._memory.unlink()
            self._memory = None


class SlotRing:
    """The child's side: fills the slots.

    Args:
        pipe: to the parent.
    """

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        # Called with a message that has nothing to do with slots, while one of slots is awaited.
        self.on_other: Callable[[object], None] = lambda message: None
        self._memory: SharedMemory | None = None
        self._slot_bytes = 0
        self._free: list[int] = []

    def put(self, image: NDArray[np.uint8], stamp: object) -> None:
        """Copy an image into a free slot, waiting for one if necessary, and announce it.

        Args:
            image: uint8 (H, W, 3).
            stamp: metadata of the image; picklable.
        """
        self._make_room(image)
        slot = self._free.pop() if self._free else self._wait_for_slot()
        self._fill(slot, image, stamp)

    def offer(self, image: NDArray[np.uint8], stamp: object) -> bool:
        """Do the same without waiting; return False if no slot is free."""
        self._make_room(image)
        self.take_messages()
        if not self._free:
            return False
        self._fill(self._free.pop(), image, stamp)
        return True

    def take_messages(self) -> None:
        """Take what the parent has sent, without waiting: returned slots, and other messages."""
        while self._pipe.poll():
            message = self._pipe.recv()
            if isinstance(message, int):
                self._free.append(message)
            else:
                self.on_other(message)

    def wait_for_other(self) -> object:
        """Wait for the parent's next message other than a returned slot, and return it."""
        while isinstance(message := self._pipe.recv(), int):
            self._free.append(message)
        return message

    def close(self) -> None:
        """Close the memory; the parent unlinks it."""
        if self._memory is not None:
            self._memory.close()
            self._memory = None

    def _fill(self, slot: int, image: NDArray[np.uint8], stamp: object) -> None:
        assert self._memory is not None
        offset = slot * self._slot_bytes
        np.ndarray(image.shape, np.uint8, self._memory.buf, offset=offset)[:] = image
        self._pipe.send(Filled(slot, image.shape, stamp))

    def _wait_for_slot(self) -> int:
        while not isinstance(message := self._pipe.recv(), int):
            self.on_other(message)
        return message

    def _wait_for_name(self) -> str:
        while not isinstance(message := self._pipe.recv(), str):
            self.on_other(message)
        return message

    def _make_room(self, image: NDArray[np.uint8]) -> None:
        if image.nbytes <= self._slot_bytes:
            return
        while self._memory is not None and len(self._free) < SLOTS:
            self._free.append(self._wait_for_slot())
        self.close()
        self._pipe.send(NeedSlots(image.nbytes))
        self._memory = SharedMemory(name=self._wait_for_name())
        self._slot_bytes = image.nbytes
        self._free = list(range(SLOTS))
