"""Shutdown by signals: the first requests an orderly end, the second an immediate one."""

from __future__ import annotations

import _thread
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class Shutdown:
    """State of the shutdown of a run, shared by its threads and the signal handlers."""

    def __init__(self) -> None:
        self.stop = threading.Event()  # first request: sources stop reading, queues drain
        self.now = threading.Event()  # second request: wait for nothing
        self.requested = False
        self.is_bound = False  # True once a run observes `stop`
        self._cancel: Callable[[], None] | None = None
        self._first: Callable[[], None] = lambda: None

    def bind(self, cancel: Callable[[], None]) -> None:
        """Set what a second request calls, from any thread."""
        self.is_bound = True
        self._cancel = cancel

    def bind_interrupt(self) -> None:
        """Let a second signal interrupt the main thread, where nothing else can be cancelled."""
        self.is_bound = True
        self._cancel = None

    def on_request(self, first: Callable[[], None]) -> None:
        """Set what a first request calls after it has set `stop`, from any thread."""
        self._first = first

    def request(self) -> bool:
        """Request the end of the run.

        Returns:
            True if this was the first request.
        """
        first, self.requested = not self.requested, True
        self._pass_on(first)
        return first

    def request_by_signal(self, notify: Callable[[], None]) -> None:
        """Request the end of the run from a signal handler.

        The handler has interrupted the main thread, which may hold the very lock that an event,
        a channel or the console needs: what takes locks runs in another thread.

        Args:
            notify: called after a first request.

        Raises:
            KeyboardInterrupt: if no run is bound, and by a second request after `bind_interrupt`.
        """
        if not self.is_bound:
            raise KeyboardInterrupt
        first, self.requested = not self.requested, True

        def pass_on() -> None:
            self._pass_on(first)
            if first:
                notify()

        # Unlike Thread.start, this takes no lock itself.
        _thread.start_new_thread(pass_on, ())
        if not first and self._cancel is None:
            raise KeyboardInterrupt

    def _pass_on(self, first: bool) -> None:
        if first:
            self.stop.set()
            self._first()
        else:
            self.now.set()
            if self._cancel is not None:
                self._cancel()


@contextmanager
def on_hangup(asked: threading.Event) -> Iterator[None]:
    """Set an event on SIGHUP while the block runs; for the main thread only."""

    def handle(signum: int, frame: FrameType | None) -> None:
        if not asked.is_set():
            asked.set()

    before = signal.signal(signal.SIGHUP, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


@contextmanager
def on_signals(shutdown: Shutdown, notify: Callable[[str], None]) -> Iterator[None]:
    """Turn SIGINT and SIGTERM into requests while the block runs; for the main thread only.

    Until a run is bound (while models load or weights are downloaded) there is nothing to drain:
    a signal then raises KeyboardInterrupt.

    Args:
        shutdown: receives the requests.
        notify: shows a line to the user; called from another thread.
    """

    def notify_user() -> None:
        notify("stopping: frames read so far are still processed; repeat to end immediately")

    def handle(signum: int, frame: FrameType | None) -> None:
        shutdown.request_by_signal(notify_user)

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
