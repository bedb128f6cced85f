from __future__ import annotations

import os
import signal
import threading

import pytest

from pipeline.runtime.shutdown import Shutdown, on_hangup, on_signals


def send(number: int) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_first_signal_asks_to_stop_and_says_so(number: int) -> None:
    shutdown, said, cancelled = Shutdown(), list[str](), list[bool]()
    shutdown.bind(lambda: cancelled.append(True))
    with on_signals(shutdown, said.append):
        send(number)
    assert shutdown.stop.is_set()
    assert len(said) == 1
    assert cancelled == []


def test_a_second_signal_cancels() -> None:
    shutdown, said, cancelled = Shutdown(), list[str](), list[bool]()
    shutdown.bind(lambda: cancelled.append(True))
    with on_signals(shutdown, said.append):
        send(signal.SIGINT)
        send(signal.SIGTERM)
    assert cancelled == [True]
    assert len(said) == 1


def test_a_signal_before_anything_runs_ends_the_program() -> None:
    with pytest.raises(KeyboardInterrupt), on_signals(Shutdown(), lambda message: None):
        send(signal.SIGTERM)


def test_the_former_handlers_are_back_afterwards() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with on_signals(Shutdown(), lambda message: None):
        assert signal.getsignal(signal.SIGINT) != before[0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_a_hangup_asks_for_a_reload_and_for_nothing_else() -> None:
    shutdown, asked, said = Shutdown(), threading.Event(), list[str]()
    shutdown.bind(lambda: None)
    with on_signals(shutdown, said.append), on_hangup(asked):
        assert not asked.is_set()
        send(signal.SIGHUP)
        assert asked.is_set()
        asked.clear()
        send(signal.SIGHUP)
        assert asked.is_set()
    assert not shutdown.stop.is_set()
    assert said == []


def test_the_former_handler_of_a_hangup_is_back_afterwards() -> None:
    before = signal.getsignal(signal.SIGHUP)
    with on_hangup(threading.Event()):
        assert signal.getsignal(signal.SIGHUP) != before
    assert signal.getsignal(signal.SIGHUP) == before
