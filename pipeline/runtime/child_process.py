"""A process of our own, with a pipe to it: what crashes in it does not take us along."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import get_context, resource_tracker

_END_S = 5.0  # longest wait for the end of a killed process


class ChildProcess:
    """Runs a function with one end of a pipe as its first argument, from the constructor on.

    Args:
        target: a function of a module, which the child imports.
        arguments: of it, behind the pipe; they never show in a list of processes.
        name: for people.
    """

    def __init__(self, target: Callable[..., None], *arguments: object, name: str) -> None:
        self._ended = False
        context = get_context("spawn")
        self.pipe, child_pipe = context.Pipe()
        self._process = context.Process(target=target, args=(child_pipe, *arguments), name=name)
        # The child inherits the mask: a Ctrl-C of the terminal is ours to handle, not its. Starting
        # the tracker of shared memory unblocks both signals, so it must not happen in between.
        resource_tracker.ensure_running()
        inherited = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        try:
            self._process.start()
        except BaseException:
            self.pipe.close()
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, inherited)
            child_pipe.close()

    @property
    def pid(self) -> int | None:
        """Its process id."""
        return self._process.pid

    def cause_of_death(self) -> str:
        """How it ended, once its end of the pipe is closed."""
        self._process.join(_END_S)
        code = self._process.exitcode
        if code is None:
            return "it hangs while it ends"
        cause = f"signal {-code}" if code < 0 else f"exit code {code}"
        with suppress(ValueError):  # a signal without a name
            cause = signal.Signals(-code).name
        if code == -signal.SIGBUS:
            cause += ": /dev/shm is full, in a container give it more with --shm-size"
        return cause

    def kill(self) -> None:
        """End it at once; a second call does nothing."""
        if not self._ended:
            self._ended = True
            self.pipe.close()
            self._process.kill()
            self._process.join(_END_S)
            # It may still be running if the kernel does not let it go, and seem to be if another
            # thread, which starts a process of its own, has just taken note of its end.
            with suppress(ValueError):
                self._process.close()

    def send(self, message: object) -> None:
        """Send to it; if it has ended, what it said last or its death is what is read next."""
        with suppress(OSError):
            self.pipe.send(message)
