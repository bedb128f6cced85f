"""Child processes: messages, the cause of an end, and signals of the terminal."""

from __future__ import annotations

import multiprocessing
import os
import signal
from multiprocessing.connection import Connection

import pytest

from pipeline.runtime.child_process import ChildProcess


def answer(pipe: Connection, greeting: str) -> None:
    pipe.send(f"{greeting}, {pipe.recv()}")
    os._exit(3)


def abort(pipe: Connection) -> None:
    os.abort()


def report_blocked_signals(pipe: Connection) -> None:
    pipe.send(signal.pthread_sigmask(signal.SIG_BLOCK, ()))


def test_a_child_receives_and_answers_and_its_end_has_a_cause() -> None:
    child = ChildProcess(answer, "hello", name="test-child")
    child.send("world")
    assert child.pipe.recv() == "hello, world"
    with pytest.raises(EOFError):
        child.pipe.recv()
    assert child.cause_of_death() == "exit code 3"
    child.send("are you there?")
    child.kill()
    child.kill()


def test_the_signal_that_killed_a_child_is_named() -> None:
    child = ChildProcess(abort, name="test-child")
    assert child.cause_of_death() == "SIGABRT"
    child.kill()


def test_an_exit_status_that_another_thread_collected_is_no_error() -> None:
    child = ChildProcess(abort, name="test-child")
    assert child.pid is not None
    os.waitpid(child.pid, 0)  # as multiprocessing does for all children when one is started
    child.kill()
    multiprocessing.process._children.discard(child._process)  # it would then know, here it cannot


def test_a_ctrl_c_of_the_terminal_does_not_reach_the_child() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    child = ChildProcess(report_blocked_signals, name="test-child")
    assert {signal.SIGINT, signal.SIGTERM} <= child.pipe.recv()
    child.kill()
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
