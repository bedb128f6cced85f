"""Read action events in a program of your own; needs redis and pydantic, not the models.

    with Subscriber("redis://localhost:6379/0", group="alarms") as subscriber:
        for event in subscriber:
            ring_the_bell(event)  # acknowledged when the block has ended; not, if it raises

With a group, every event is dealt with at least once: a consumer that dies leaves what it had not
acknowledged to itself when it comes back, and to the others. `AsyncSubscriber` is the same for
asyncio.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from typing import Any, Self

import redis

from pipeline.errors import EventStoreError
from pipeline.event_filter import EventFilter
from pipeline.events import ActionEvent, CameraEvent, Event
from pipeline.redis_store.connection import connect, explained
from pipeline.subscriber.asynchronous import AsyncSubscriber
from pipeline.subscriber.options import BACKOFF_S, BaseSubscriber
from pipeline.subscriber.protocol import Command, Delivery
from pipeline.subscriber.reports import GapError, Report

__all__ = [
    "ActionEvent",
    "AsyncSubscriber",
    "CameraEvent",
    "EventFilter",
    "EventStoreError",
    "GapError",
    "Report",
    "Subscriber",
]

log = logging.getLogger(__name__)


class Subscriber(BaseSubscriber):
    """Iterate it, or give it a function; for one thread at a time. See also `BaseSubscriber`."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the group, if nothing waits for this consumer, and close the connections."""
        steps = self._reader.leave()
        with suppress(redis.RedisError, StopIteration):  # others take what is left
            step = next(steps)
            while isinstance(step, Command):
                call = getattr(self._client, step.name)
                step = steps.send(call(*step.arguments, **step.options))
        self._client.close()

    def ping(self) -> None:
        """Make sure that the server is there; without it an iteration waits until it is.

        Raises:
            EventStoreError: if it is not, or does not let us in.
        """
        try:
            self._client.ping()
        except redis.RedisError as error:
            raise explained(error, self.name) from error

    def __iter__(self) -> Iterator[Event]:
        """Yield events; one is acknowledged when the next one is asked for.

        Raises:
            EventStoreError: if the server refuses. That it is away is waited for.
            GapError: if asked for.
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
            function: returns when the event is dealt with.
            count: return after so many events.

        Returns:
            How many events were dealt with.

        Raises:
            EventStoreError: as iterating.
        """
        done, deliveries = 0, self._deliveries()
        try:
            delivery = next(deliveries)
            while True:
                try:
                    function(delivery.event)
                    dealt_with: bool | None = True
                except Exception as error:
                    log.warning("event %s failed: %s", delivery.event.event_id, error)
                    dealt_with = None if self._stop.is_set() else False
                done += bool(dealt_with)
                if done == count:
                    self._stop.set()
                delivery = deliveries.send(dealt_with)
        except StopIteration:
            return done
        finally:
            deliveries.close()

    def _connect(self, url: str, *, socket_timeout_s: float) -> Any:
        return connect(url, socket_timeout_s=socket_timeout_s, retries=0)

    def _deliveries(self) -> Generator[Delivery, bool | None, None]:
        steps = self._reader.steps()
        answer: Any = None
        trouble: Exception | None = None
        try:
            while True:
                step = steps.send(answer) if trouble is None else steps.throw(trouble)
                answer, trouble = None, None
                if isinstance(step, Delivery):
                    if self._stop.is_set():
                        return
                    self.last_entry_id = step.entry_id
                    answer = yield step
                elif isinstance(step, Command):
                    answer, trouble = self._try(step)
                    if self._stop.is_set() and step.name != "xack":
                        return
                else:
                    self._report(step)
        except StopIteration:
            return
        finally:
            steps.close()

    def _try(self, command: Command) -> tuple[Any, Exception | None]:
        pause_s = BACKOFF_S[0]
        while True:
            try:
                answer = getattr(self._client, command.name)(*command.arguments, **command.options)
            except redis.RedisError as error:
                trouble = self._judge(error, command)
                if trouble is not None:
                    return None, trouble
            else:
                self._answered()
                return answer, None
            if self._stop.wait(pause_s):
                return None, None
            pause_s = min(2 * pause_s, BACKOFF_S[1])
