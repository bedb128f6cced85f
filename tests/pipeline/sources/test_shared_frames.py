"""Both sides in this process, with a real pipe and real shared memory between them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from multiprocessing.shared_memory import SharedMemory
from queue import Queue

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.sources.shared_frames import SLOTS, Filled, NeedSlots, SlotOwner, SlotRing


class Parent:
    """Gives slots whenever they are asked for; images wait until the test takes them."""

    def __init__(self, pipe: Connection) -> None:
        self.pipe = pipe
        self.owner = SlotOwner(self._send)
        self.filled = Queue[Filled]()
        self.memories = list[str]()
        self._thread = threading.Thread(target=self._listen, name="test-slot-owner")
        self._thread.start()

    def take(self) -> tuple[NDArray[np.uint8], object]:
        """The next image and its stamp; the slot is free then."""
        filled = self.filled.get(timeout=60)
        return self.owner.copy_out(filled), filled.stamp

    def join(self) -> None:
        self._thread.join()

    def _send(self, message: object) -> None:
        if isinstance(message, str):
            self.memories.append(message)
        self.pipe.send(message)

    def _listen(self) -> None:
        try:
            while True:
                message = self.pipe.recv()
                if isinstance(message, NeedSlots):
                    self.owner.renew(message)
                else:
                    self.filled.put(message)
        except (EOFError, ConnectionResetError):  # the latter if it left messages unread
            return


@pytest.fixture
def ends() -> Iterator[tuple[Parent, SlotRing]]:
    ours, theirs = Pipe()
    parent, ring = Parent(ours), SlotRing(theirs)
    yield parent, ring
    ring.close()
    theirs.close()
    parent.join()
    parent.owner.release()
    ours.close()


def make_image(level: int, wh: tuple[int, int] = (8, 6)) -> NDArray[np.uint8]:
    image = np.full((wh[1], wh[0], 3), level, np.uint8)
    image[0, 0] = 255 - level
    return image


def exists(memory: str) -> bool:
    try:
        found = SharedMemory(name=memory)
    except FileNotFoundError:
        return False
    found.close()
    return True


def test_an_image_arrives_as_it_was_with_its_stamp(ends: tuple[Parent, SlotRing]) -> None:
    parent, ring = ends
    assert ring.offer(make_image(7), ("stamp", 1.5))
    image, stamp = parent.take()
    assert np.array_equal(image, make_image(7))
    assert stamp == ("stamp", 1.5)


def test_many_images_arrive_in_order(ends: tuple[Parent, SlotRing]) -> None:
    parent, ring = ends

    def send() -> None:
        for level in range(100):
            ring.put(make_image(level), level)

    child = threading.Thread(target=send)
    child.start()
    for level in range(100):
        image, stamp = parent.take()
        assert stamp == level
        assert np.array_equal(image, make_image(level))
    child.join()


def test_an_image_that_was_copied_out_stays_as_it_is(ends: tuple[Parent, SlotRing]) -> None:
    parent, ring = ends
    assert ring.offer(make_image(1), None)
    first, _ = parent.take()
    for level in range(2, 2 + 2 * SLOTS):
        ring.put(make_image(level), None)
        parent.take()
    assert np.array_equal(first, make_image(1))


def test_an_offer_is_refused_while_all_slots_are_in_transit(ends: tuple[Parent, SlotRing]) -> None:
    parent, ring = ends
    assert [ring.offer(make_image(level), level) for level in range(SLOTS + 2)] == [
        *[True] * SLOTS,
        False,
        False,
    ]
    assert parent.take()[1] == 0
    assert ring.offer(make_image(9), 9)
    assert not ring.offer(make_image(10), 10)
    assert [parent.take()[1] for _ in range(SLOTS)] == [1, 2, 3, 9]


def test_a_refused_offer_harms_no_image_in_transit(ends: tuple[Parent, SlotRing]) -> None:
    parent, ring = ends
    for level in range(SLOTS):
        assert ring.offer(make_image(level), level)
    assert not ring.offer(make_image(200), 200)
    for level in range(SLOTS):
        assert np.array_equal(parent.take()[0], make_image(level))


def test_put_waits_for_a_slot(ends: tuple[Parent, SlotRing]) -> None:
    parent, ring = ends
    for level in range(SLOTS):
        ring.put(make_image(level), level)
    child = threading.Thread(target=ring.put, args=(make_image(99), 99))
    child.start()
    stamps = [parent.take()[1] for _ in range(SLOTS + 1)]
    child.join()
    assert stamps == [0, 1, 2, 3, 99]


def test_a_larger_image_gets_larger_slots_and_the_old_ones_go(
    ends: tuple[Parent, SlotRing],
) -> None:
    parent, ring = ends
    assert ring.offer(make_image(1), 1)
    parent.take()
    assert ring.offer(make_image(2, wh=(80, 60)), 2)
    assert np.array_equal(parent.take()[0], make_image(2, wh=(80, 60)))
    small, big = parent.memories
    assert not exists(small)
    assert exists(big)


def test_a_larger_image_waits_until_nothing_is_in_transit(ends: tuple[Parent, SlotRing]) -> None:
    parent, ring = ends
    for level in range(SLOTS):
        assert ring.offer(make_image(level), level)
    child = threading.Thread(target=ring.offer, args=(make_image(99, wh=(80, 60)), 99))
    child.start()
    for level in range(SLOTS):
        assert np.array_equal(parent.take()[0], make_image(level))
    assert np.array_equal(parent.take()[0], make_image(99, wh=(80, 60)))
    child.join()


def test_smaller_images_use_the_slots_that_are_there(ends: tuple[Parent, SlotRing]) -> None:
    parent, ring = ends
    ring.put(make_image(1, wh=(80, 60)), 1)
    for level in range(2, 2 + SLOTS - 1):
        assert ring.offer(make_image(level, wh=(10, level)), level)
    for level in range(1, 2 + SLOTS - 1):
        wh = (80, 60) if level == 1 else (10, level)
        assert np.array_equal(parent.take()[0], make_image(level, wh=wh))
    assert len(parent.memories) == 1


def test_release_gives_the_memory_back_and_can_be_repeated(ends: tuple[Parent, SlotRing]) -> None:
    parent, ring = ends
    assert ring.offer(make_image(1), None)
    [memory] = parent.memories
    ring.close()
    ring.close()
    assert exists(memory)
    parent.owner.release()
    parent.owner.release()
    assert not exists(memory)


def test_slots_that_come_back_meanwhile_do_not_hide_another_message(
    ends: tuple[Parent, SlotRing],
) -> None:
    parent, ring = ends
    for level in range(SLOTS):
        assert ring.offer(make_image(level), level)
    for _ in range(SLOTS):
        parent.take()
    parent.pipe.send("another connection")
    assert ring.wait_for_other() == "another connection"
    assert [ring.offer(make_image(level), level) for level in range(SLOTS + 1)] == [
        *[True] * SLOTS,
        False,
    ]


def test_a_parent_that_is_gone_is_noticed() -> None:
    ours, theirs = Pipe()
    ring = SlotRing(theirs)
    ours.close()
    with pytest.raises(EOFError):
        ring.wait_for_other()
    theirs.close()
