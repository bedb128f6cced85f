"""Both sides in this process, with a real pipe and real shared memory between them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from multiprocessing.shared_memory import SharedMemory
from queue import Queue

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.runtime.child_process import ChildProcess
from pipeline.sources.shared_frames import SLOTS, Filled, NeedSlots, SlotOwner, SlotRing


class Parent:
    """Gives slots whenever they are asked for; pictures wait until the test takes them."""

    def __init__(self, pipe: Connection) -> None:
        self.pipe = pipe
        self.owner = SlotOwner(self._tell)
        self.filled = Queue[Filled]()
        self.memories = list[str]()
        self._thread = threading.Thread(target=self._listen, name="test-slot-owner")
        self._thread.start()

    def take(self) -> tuple[NDArray[np.uint8], object]:
        """The next picture and its stamp; the slot is free then."""
        filled = self.filled.get(timeout=10)
        return self.owner.copy_out(filled), filled.stamp

    def join(self) -> None:
        self._thread.join()

    def _tell(self, message: object) -> None:
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


def picture(level: int, wh: tuple[int, int] = (8, 6)) -> NDArray[np.uint8]:
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


def test_a_picture_arrives_as_it_was_with_its_stamp(ends: tuple[Parent, SlotRing]) -> None:
    parent, ring = ends
    assert ring.offer(picture(7), ("stamp", 1.5))
    image, stamp = parent.take()
    assert np.array_equal(image, picture(7))
    assert stamp == ("stamp", 1.5)


def test_many_pictures_arrive_in_order(ends: tuple[Parent, SlotRing]) -> None:
    parent, ring = ends

    def send() -> None:
        for level in range(100):
            ring.put(picture(level), level)

    child = threading.Thread(target=send)
    child.start()
    for level in range(100):
        image, stamp = parent.take()
        assert stamp == level
        assert np.array_equal(image, picture(level))
    child.join()


def test_a_picture_that_was_copied_out_stays_as_it_is(ends: tuple[Parent, SlotRing]) -> None:
    parent, ring = ends
    assert ring.offer(picture(1), None)
    first, _ = parent.take()
    for level in range(2, 2 + 2 * SLOTS):
        ring.put(picture(level), None)
        parent.take()
    assert np.array_equal(first, picture(1))


def test_an_offer_is_refused_while_all_slots_are_under_way(ends: tuple[Parent, SlotRing]) -> None:
    parent, ring = ends
    assert [ring.offer(picture(level), level) for level in range(SLOTS + 2)] == [
        *[True] * SLOTS,
        False,
        False,
    ]
    assert parent.take()[1] == 0
    assert ring.offer(picture(9), 9)
    assert not ring.offer(picture(10), 10)
    assert [parent.take()[1] for _ in range(SLOTS)] == [1, 2, 3, 9]


def test_a_refused_offer_harms_no_picture_under_way(ends: tuple[Parent, SlotRing]) -> None:
    parent, ring = ends
    for level in range(SLOTS):
        assert ring.offer(picture(level), level)
    assert not ring.offer(picture(200), 200)
    for level in range(SLOTS):
        assert np.array_equal(parent.take()[0], picture(level))


def test_put_waits_for_a_slot(ends: tuple[Parent, SlotRing]) -> None:
    parent, ring = ends
    for level in range(SLOTS):
        ring.put(picture(level), level)
    child = threading.Thread(target=ring.put, args=(picture(99), 99))
    child.start()
    stamps = [parent.take()[1] for _ in range(SLOTS + 1)]
    child.join()
    assert stamps == [0, 1, 2, 3, 99]


def test_a_bigger_picture_gets_bigger_slots_and_the_old_ones_go(
    ends: tuple[Parent, SlotRing],
) -> None:
    parent, ring = ends
    assert ring.offer(picture(1), 1)
    parent.take()
    assert ring.offer(picture(2, wh=(80, 60)), 2)
    assert np.array_equal(parent.take()[0], picture(2, wh=(80, 60)))
    small, big = parent.memories
    assert not exists(small)
    assert exists(big)


def test_a_bigger_picture_waits_until_nothing_is_under_way(ends: tuple[Parent, SlotRing]) -> None:
    parent, ring = ends
    for level in range(SLOTS):
        assert ring.offer(picture(level), level)
    child = threading.Thread(target=ring.offer, args=(picture(99, wh=(80, 60)), 99))
    child.start()
    for level in range(SLOTS):
        assert np.array_equal(parent.take()[0], picture(level))
    assert np.array_equal(parent.take()[0], picture(99, wh=(80, 60)))
    child.join()


def test_smaller_pictures_use_the_slots_that_are_there(ends: tuple[Parent, SlotRing]) -> None:
    parent, ring = ends
    ring.put(picture(1, wh=(80, 60)), 1)
    for level in range(2, 2 + SLOTS - 1):
        assert ring.offer(picture(level, wh=(10, level)), level)
    for level in range(1, 2 + SLOTS - 1):
        wh = (80, 60) if level == 1 else (10, level)
        assert np.array_equal(parent.take()[0], picture(level, wh=wh))
    assert len(parent.memories) == 1


def test_release_gives_the_memory_back_and_can_be_repeated(ends: tuple[Parent, SlotRing]) -> None:
    parent, ring = ends
    assert ring.offer(picture(1), None)
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
        assert ring.offer(picture(level), level)
    for _ in range(SLOTS):
        parent.take()
    parent.pipe.send("another connection")
    assert ring.wait_for_other() == "another connection"
    assert [ring.offer(picture(level), level) for level in range(SLOTS + 1)] == [
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


def answer(pipe: Connection, greeting: str) -> None:
    pipe.send(f"{greeting}, {pipe.recv()}")
    os._exit(3)


def abort(pipe: Connection) -> None:
    os.abort()


def say_what_is_blocked(pipe: Connection) -> None:
    pipe.send(signal.pthread_sigmask(signal.SIG_BLOCK, ()))


def test_a_child_hears_answers_and_its_death_has_a_cause() -> None:
    child = ChildProcess(answer, "hello", name="test-child")
    child.send("world")
    assert child.pipe.recv() == "hello, world"
    with pytest.raises(EOFError):
        child.pipe.recv()
    assert child.cause_of_death() == "exit code 3"
    child.send("are you there?")
    child.kill()
    child.kill()


def test_the_signal_that_a_child_died_of_is_named() -> None:
    child = ChildProcess(abort, name="test-child")
    assert child.cause_of_death() == "SIGABRT"
    child.kill()


def test_an_end_that_another_thread_took_note_of_is_no_error() -> None:
    child = ChildProcess(abort, name="test-child")
    assert child.pid is not None
    os.waitpid(child.pid, 0)  # as multiprocessing does for all children when one is started
    child.kill()
    multiprocessing.process._children.discard(child._process)  # it would then know, here it cannot


def test_a_ctrl_c_of_the_terminal_does_not_reach_the_child() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    child = ChildProcess(say_what_is_blocked, name="test-child")
    assert {signal.SIGINT, signal.SIGTERM} <= child.pipe.recv()
    child.kill()
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
