"""Two signals: the first asks for an orderly end, the second for an immediate one."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class Shutdown:
    """What a run looks at to know whether it should end."""

    def __init__(self) -> None:
        self.stop = threading.Event()  # sources watch it: read no further, the rest drains
        self.now = threading.Event()  # asked twice: wait for nothing any more
        self.requested = False
        self._cancel: Callable[[], None] | None = None
        self._first: Callable[[], None] = lambda: None

    def bind(self, cancel: Callable[[], None]) -> None:
        """Say what a second request shall do."""
        self._cancel = cancel

    def on_request(self, first: Callable[[], None]) -> None:
        """Say what a first request shall do beside setting `stop`."""
        self._first = first

    @property
    def is_bound(self) -> bool:
        """True once something runs that looks at `stop`."""
        return self._cancel is not None

    def request(self) -> bool:
        """Ask for the end; returns True if this was the first time."""
        first, self.requested = not self.requested, True
        if first:  # a lock is behind an event: a second signal within `set` must not wait for it
            self.stop.set()
            self._first()
        else:
            self.now.set()
            if self._cancel is not None:
                self._cancel()
        return first


@contextmanager
def on_hangup(asked: threading.Event) -> Iterator[None]:
    """Turn SIGHUP into a set event while the block runs; for the main thread only."""

    def handle(signum: int, frame: FrameType | None) -> None:
        if not asked.is_set():
            asked.set()

    before = signal.signal(signal.SIGHUP, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


@contextmanager
def on_signals(shutdown: Shutdown, say: Callable[[str], None]) -> Iterator[None]:
    """Turn SIGINT and SIGTERM into requests while the block runs; for the main thread only.

    Before anything is bound (models load, weights are fetched) there is nothing to drain: then a
    signal ends the program as if it were not handled.
    """

    def handle(signum: int, frame: FrameType | None) -> None:
        if not shutdown.is_bound:
            raise KeyboardInterrupt
        if shutdown.request():
            say("stopping: what was read is still recognized; once more ends at once")

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
