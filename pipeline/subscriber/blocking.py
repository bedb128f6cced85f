"""The subscriber that blocks its thread until the next event."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from typing import Any, Self

from pipeline.events import Event
from pipeline.redis_store.connection import CLIENT_ERRORS, connect, drop_connections, explained
from pipeline.redis_store.server_states import is_answer, is_final, may_have_moved
from pipeline.subscriber.options import BaseSubscriber, log_failure
from pipeline.subscriber.protocol import Command, Delivery, Failed, NoGroupError, Outcome


class Subscriber(BaseSubscriber):
    """Reads events by iteration or by `handle`; for one thread at a time.

    The arguments are those of `BaseSubscriber`.
    """

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Return unacknowledged events to the group and close the connections."""
        steps = self._reader.leave()
        with suppress(*CLIENT_ERRORS, StopIteration):  # other consumers take it later
            step = next(steps)
            while isinstance(step, Command):
                call = getattr(self._client, step.name)
                step = steps.send(call(*step.arguments, **step.options))
        self._client.close()

    def ping(self) -> None:
        """Check that the server answers; an iteration waits until it does.

        Raises:
            EventStoreError: if it does not answer, or refuses the user. A server that loads its
                data or is busy answers: the iteration reports that, and waits.
        """
        try:
            self._client.ping()
        except CLIENT_ERRORS as error:
            if is_final(error) or not is_answer(error):
                raise explained(error, self.name) from error

    def __iter__(self) -> Iterator[Event]:
        """Yield events; each is acknowledged when the next one is requested.

        Raises:
            EventStoreError: if the server refuses. While it is unavailable, the iteration waits.
            GapError: if events are missing and the subscriber has `raise_on_gap`.
        """
        deliveries = self._deliveries()
        try:
            delivery = next(deliveries)
            while True:
                yield delivery.event
                delivery = deliveries.send(True)
        except StopIteration:
            return
        finally:
            deliveries.close()

    def handle(self, function: Callable[[Event], object], *, count: int | None = None) -> int:
        """Call a function with every event; one for which it raises is tried again later.

        Args:
            function: returns when the event is handled.
            count: return after so many handled events; None: when stopped.

        Returns:
            How many events were handled.

        Raises:
            EventStoreError: if the server refuses.
            GapError: if events are missing and the subscriber has `raise_on_gap`.
        """
        done, deliveries = 0, self._deliveries()
        try:
            delivery = next(deliveries)
            while True:
                try:
                    function(delivery.event)
                    outcome: Outcome = True
                except Exception as error:
                    log_failure(delivery.event, error)
                    outcome = None if self._stop.is_set() else Failed(str(error))
                done += outcome is True
                if done == count:
                    self._stop.set()
                delivery = deliveries.send(outcome)
        except StopIteration:
            return done
        finally:
            deliveries.close()

    def _connect(self, url: str, *, socket_timeout_s: float) -> Any:
        return connect(url, socket_timeout_s=socket_timeout_s, retries=0)

    def _deliveries(self) -> Generator[Delivery, Outcome, None]:
        steps = self._reader.steps()
        answer: Any = None
        error: Exception | None = None
        try:
            while True:
                step = steps.send(answer) if error is None else steps.throw(error)
                answer, error = None, None
                if isinstance(step, Delivery):
                    if self._stop.is_set():
                        return
                    self.last_entry_id = step.entry_id
                    answer = yield step
                elif isinstance(step, Command):
                    answer, error = self._execute(step)
                    if self._stop.is_set() and step.name != "xack":
                        return
                else:
                    self._report(step)
        except StopIteration:
            return
        finally:
            steps.close()

    def _execute(self, command: Command) -> tuple[Any, Exception | None]:
        while True:
            try:
                answer = getattr(self._client, command.name)(*command.arguments, **command.options)
            except CLIENT_ERRORS as error:
                thrown = self._classify(error, command)
                if isinstance(thrown, NoGroupError):
                    return None, thrown
                if may_have_moved(error):
                    drop_connections(self._client)
            else:
                self._note_answer(command)
                return answer, None
            if self._stop.wait(self._next_pause_s()):
                return None, None
            if thrown is not None:
                return None, thrown
