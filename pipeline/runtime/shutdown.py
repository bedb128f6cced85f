"""Shutdown by signals: the first requests an orderly end, the second an immediate one."""

from __future__ import annotations

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
        self._cancel: Callable[[], None] | None = None
        self._first: Callable[[], None] = lambda: None

    def bind(self, cancel: Callable[[], None]) -> None:
        """Set what a second request calls."""
        self._cancel = cancel

    def on_request(self, first: Callable[[], None]) -> None:
        """Set what a first request calls after it has set `stop`."""
        self._first = first

    @property
    def is_bound(self) -> bool:
        """True once a run observes `stop`."""
        return self._cancel is not None

    def request(self) -> bool:
        """Request the end of the run.

        Returns:
            True if this was the first request.
        """
        first, self.requested = not self.requested, True
        if first:  # a second signal within `set` must not wait for the lock of the event
            self.stop.set()
            self._first()
        else:
            self.now.set()
            if self._cancel is not None:
                self._cancel()
        return first


def raise_interrupt() -> None:
    """Interrupt the main thread; bound to a second request where nothing else can be cancelled.

    Raises:
        KeyboardInterrupt: always, in the signal handler that calls it.
    """
    raise KeyboardInterrupt


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
        notify: shows a line to the user.
    """

    def handle(signum: int, frame: FrameType | None) -> None:
        if not shutdown.is_bound:
            raise KeyboardInterrupt
        if shutdown.request():
            notify("stopping: frames read so far are still processed; repeat to end immediately")

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
