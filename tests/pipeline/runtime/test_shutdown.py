from __future__ import annotations

import os
import signal
import threading

import pytest

from pipeline.runtime.shutdown import Shutdown, on_hangup, on_signals


def send(number: int) -> None:
    os.kill(os.getpid(), number)


class Seen:
    """Calls of a function, to be awaited: a signal passes them on from another thread."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []
        self._called = threading.Event()

    def __call__(self, *arguments: object) -> None:
        self.calls.append(arguments)
        self._called.set()

    def wait(self) -> bool:
        return self._called.wait(30)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_first_signal_asks_to_stop_and_reports_it(number: int) -> None:
    shutdown, reported, cancelled = Shutdown(), Seen(), Seen()
    shutdown.bind(cancelled)
    with on_signals(shutdown, reported):
        send(number)
    assert shutdown.stop.wait(30)
    assert reported.wait()
    assert len(reported.calls) == 1
    assert cancelled.calls == []


def test_a_second_signal_cancels() -> None:
    shutdown, reported, cancelled = Shutdown(), Seen(), Seen()
    shutdown.bind(cancelled)
    with on_signals(shutdown, reported):
        send(signal.SIGINT)
        send(signal.SIGTERM)
    assert cancelled.wait()
    assert reported.wait()
    assert len(cancelled.calls) == 1
    assert len(reported.calls) == 1


def test_a_second_signal_interrupts_where_nothing_can_be_cancelled() -> None:
    shutdown = Shutdown()
    shutdown.bind_interrupt()
    with pytest.raises(KeyboardInterrupt), on_signals(shutdown, Seen()):
        send(signal.SIGINT)
        send(signal.SIGINT)
    assert shutdown.now.wait(30)


def test_a_signal_that_interrupts_the_holder_of_a_lock_still_arrives() -> None:
    """The main thread may be inside `wait` of the event, or take an item of a channel."""
    shutdown, lock, cancelled = Shutdown(), threading.Lock(), Seen()

    def cancel() -> None:
        with lock:
            cancelled()

    shutdown.bind(cancel)
    with on_signals(shutdown, Seen()), lock, shutdown.stop._cond:
        send(signal.SIGINT)
        send(signal.SIGINT)
    assert shutdown.stop.wait(30)
    assert cancelled.wait()


def test_a_signal_before_anything_runs_ends_the_program() -> None:
    with pytest.raises(KeyboardInterrupt), on_signals(Shutdown(), lambda message: None):
        send(signal.SIGTERM)


def test_the_former_handlers_are_back_afterwards() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with on_signals(Shutdown(), lambda message: None):
        assert signal.getsignal(signal.SIGINT) != before[0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_a_hangup_asks_for_a_reload_and_for_nothing_else() -> None:
    shutdown, asked, reported = Shutdown(), threading.Event(), list[str]()
    shutdown.bind(lambda: None)
    with on_signals(shutdown, reported.append), on_hangup(asked):
        assert not asked.is_set()
        send(signal.SIGHUP)
        assert asked.is_set()
        asked.clear()
        send(signal.SIGHUP)
        assert asked.is_set()
    assert not shutdown.stop.is_set()
    assert reported == []


def test_the_former_handler_of_a_hangup_is_back_afterwards() -> None:
    before = signal.getsignal(signal.SIGHUP)
    with on_hangup(threading.Event()):
        assert signal.getsignal(signal.SIGHUP) != before
    assert signal.getsignal(signal.SIGHUP) == before
