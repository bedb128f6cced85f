"""Run stages in threads: stop at the source, drain the rest, re-raise the first error."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Generator
from contextlib import closing
from typing import Protocol, TypeVar

from pipeline.runtime.channel import ChannelCancelled

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)
log = logging.getLogger(__name__)


class Output(Protocol[T_contra]):
    """Interface of what a stage writes to, such as `Channel`."""

    def put(self, item: T_contra) -> None:
        """Accept an item.

        Raises:
            ChannelCancelled: after `cancel`.
        """
        ...

    def finish(self) -> None:
        """Declare that no more items follow."""
        ...

    def cancel(self) -> None:
        """Drop all items and wake both sides."""
        ...


class StageGroup:
    """The threads of one pipeline run; leaving the `with` block joins all of them.

    The first exception of any stage, or of the block itself, sets `stop`, cancels every channel
    and is re-raised once all threads have ended. A sink must iterate until its channel ends.

    Args:
        stop: set by the group on failure; sources must observe it.
    """

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._running: list[tuple[threading.Thread, Callable[[], None]]] = []  # with its cancel
        self._first_error: BaseException | None = None
        self._cancelled = False
        # Re-entrant: a signal handler may call `cancel` while the main thread holds it.
        self._lock = threading.RLock()

    def start(
        self,
        name: str,
        items: Generator[T, None, None],
        output: Output[T],
        *,
        stop: threading.Event | None = None,
    ) -> threading.Thread:
        """Iterate over `items` in a new thread and put each one on `output`.

        Args:
            name: of the thread.
            items: the stage; closed when the thread ends.
            output: where its items go; finished when the thread ends.
            stop: an event of this source alone, set when the group is cancelled.
        """

        def cancel() -> None:
            if stop is not None:
                stop.set()
            output.cancel()

        return self._launch(name, lambda: self._pump(name, items, output), cancel)

    def run(
        self,
        name: str,
        function: Callable[[], None],
        *,
        cancel: Callable[[], None] = lambda: None,
    ) -> threading.Thread:
        """Call a function in a new thread.

        Args:
            name: of the thread.
            function: must return soon after `stop` is set, or after `cancel` was called.
            cancel: called when the group is cancelled, or before the call if it is already.
        """
        return self._launch(name, lambda: self._call(name, function), cancel)

    def cancel(self) -> None:
        """Stop now and drop what is queued, as on a second Ctrl-C."""
        if not self._stop.is_set():
            self._stop.set()
        with self._lock:
            self._cancelled = True
            for _, cancel in self._running:
                cancel()

    @property
    def cancelled(self) -> bool:
        """True once `cancel` was called or a stage failed."""
        return self._cancelled

    def __enter__(self) -> StageGroup:
        return self

    def __exit__(self, exc_type: object, exc: BaseException | None, tb: object) -> None:
        if exc is not None:
            self._fail(exc)
        while self._running:  # a stage may start another one meanwhile
            thread, _ = self._running[0]
            thread.join()
            with self._lock:
                self._running = [one for one in self._running if one[0] is not thread]
        if self._first_error is not None and self._first_error is not exc:
            raise self._first_error

    def _launch(
        self, name: str, target: Callable[[], None], cancel: Callable[[], None]
    ) -> threading.Thread:
        thread = threading.Thread(target=target, name=name)
        with self._lock:
            if self._cancelled:
                cancel()
            thread.start()
            alive = [one for one in self._running if one[0].is_alive()]
            self._running = [*alive, (thread, cancel)]
        return thread

    def _pump(self, name: str, items: Generator[T, None, None], output: Output[T]) -> None:
        def put_all() -> None:
            with closing(items):  # releases the source even when `put` raises
                for item in items:
                    output.put(item)

        try:
            self._call(name, put_all)
        finally:
            output.finish()

    def _call(self, name: str, function: Callable[[], None]) -> None:
        try:
            function()
        except ChannelCancelled:
            log.debug("%s: cancelled", name)
        except BaseException as error:  # re-raised by __exit__
            log.debug("%s: failed with %r", name, error)
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        with self._lock:
            self._first_error = self._first_error or error
        self.cancel()
