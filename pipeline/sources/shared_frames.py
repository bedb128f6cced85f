"""Pictures from one process to another through shared memory.

The parent owns a ring of slots. The child fills a free slot and says so on a pipe; the parent
copies the picture out and gives the slot back. A killed child leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.shared_memory import SharedMemory

import numpy as np
from numpy.typing import NDArray

SLOTS = 4  # pictures under way; enough to decode on while the parent copies


@dataclass(frozen=True, slots=True)
class Filled:
    """Child to parent: this slot holds a picture."""

    slot: int
    shape: tuple[int, ...]
    stamp: object  # what is known of it; can be pickled


@dataclass(frozen=True, slots=True)
class NeedSlots:
    """Child to parent: the next picture has this many bytes; nothing is under way."""

    frame_bytes: int


class SlotOwner:
    """The parent's side.

    Args:
        send: sends a message to the child.
    """

    def __init__(self, send: Callable[[object], None]) -> None:
        self._send = send
        self._memory: SharedMemory | None = None

    def copy_out(self, filled: Filled) -> NDArray[np.uint8]:
        """The picture of a slot, which is free again."""
        assert self._memory is not None
        slot_bytes = self._memory.size // SLOTS
        view = np.ndarray(filled.shape, np.uint8, self._memory.buf, offset=filled.slot * slot_bytes)
        assert view.nbytes <= slot_bytes
        image: NDArray[np.uint8] = view.copy()
        self._send(filled.slot)
        return image

    def renew(self, need: NeedSlots) -> None:
        """Make slots of another size."""
        self.release()
        self._memory = SharedMemory(create=True, size=SLOTS * need.frame_bytes)
        self._send(self._memory.name)

    def release(self) -> None:
        """Give the memory back to the system."""
        if self._memory is not None:
            self._memory.close()
            self._memory.unlink()
            self._memory = None


class SlotRing:
    """The child's side."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._memory: SharedMemory | None = None
        self._slot_bytes = 0
        self._free: list[int] = []

    def put(self, image: NDArray[np.uint8], stamp: object) -> None:
        """Copy a picture into a free slot, waiting for one, and announce it."""
        self._make_room(image)
        slot = self._free.pop() if self._free else self._wait_for_slot()
        self._fill(slot, image, stamp)

    def offer(self, image: NDArray[np.uint8], stamp: object) -> bool:
        """The same without waiting; False if no slot is free."""
        self._make_room(image)
        while self._pipe.poll():
            self._free.append(self._wait_for_slot())
        if not self._free:
            return False
        self._fill(self._free.pop(), image, stamp)
        return True

    def wait_for_other(self) -> object:
        """The parent's next message that gives no slot back."""
        while isinstance(message := self._pipe.recv(), int):
            self._free.append(message)
        return message

    def close(self) -> None:
        """Let go of the memory; the parent unlinks it."""
        if self._memory is not None:
            self._memory.close()
            self._memory = None

    def _fill(self, slot: int, image: NDArray[np.uint8], stamp: object) -> None:
        assert self._memory is not None
        offset = slot * self._slot_bytes
        np.ndarray(image.shape, np.uint8, self._memory.buf, offset=offset)[:] = image
        self._pipe.send(Filled(slot, image.shape, stamp))

    def _wait_for_slot(self) -> int:
        slot = self._pipe.recv()
        assert isinstance(slot, int)
        return slot

    def _make_room(self, image: NDArray[np.uint8]) -> None:
        if image.nbytes <= self._slot_bytes:
            return
        while self._memory is not None and len(self._free) < SLOTS:
            self._free.append(self._wait_for_slot())
        self.close()
        self._pipe.send(NeedSlots(image.nbytes))
        self._memory = SharedMemory(name=self._pipe.recv())
        self._slot_bytes = image.nbytes
        self._free = list(range(SLOTS))
