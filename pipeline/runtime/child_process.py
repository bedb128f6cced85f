"""A child process with a pipe, so that a crash of native code does not end this process."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import get_context, resource_tracker

_END_S = 5.0  # longest wait for the end of a killed process


class ChildProcess:
    """Run a function in a spawned process, with one end of a pipe as its first argument.

    The constructor starts the process.

    Args:
        target: a module-level function, which the child imports.
        arguments: further arguments of it; picklable, not visible in a process list.
        name: shown in logs.
    """

    def __init__(self, target: Callable[..., None], *arguments: object, name: str) -> None:
        self._ended = False
        context = get_context("spawn")
        self.pipe, child_pipe = context.Pipe()
        self._process = context.Process(target=target, args=(child_pipe, *arguments), name=name)
        # The child inherits the mask: the parent alone handles a Ctrl-C of the terminal. Starting
        # the tracker of shared memory unblocks both signals, so it must already run.
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
        """The process id."""
        return self._process.pid

    def cause_of_death(self) -> str:
        """Describe how it ended, for error messages; call it once its end of the pipe is closed."""
        self._process.join(_END_S)
        code = self._process.exitcode
        if code is None:
            return "it hangs at exit"
        cause = f"signal {-code}" if code < 0 else f"exit code {code}"
        with suppress(ValueError):  # a signal without a name
            cause = signal.Signals(-code).name
        if code == -signal.SIGBUS:
            cause += ": /dev/shm is full, in a container give it more with --shm-size"
        return cause

    def kill(self) -> None:
        """Kill it and close the pipe; a second call does nothing."""
        if not self._ended:
            self._ended = True
            self.pipe.close()
            self._process.kill()
            self._process.join(_END_S)
            # It may still run if the kernel cannot end it, and appear to run if another thread that
            # starts a process has just collected its exit status.
            with suppress(ValueError):
                self._process.close()

    def send(self, message: object) -> None:
        """Send a message; if the child has ended, the error surfaces at the next read instead.

        Args:
            message: picklable.
        """
        with suppress(OSError):
            self.pipe.send(message)
