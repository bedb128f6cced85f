"""The subscriber for asyncio: the same reading as `blocking.Subscriber`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any, Self

from pipeline.events import Event
from pipeline.redis_store.connection import CLIENT_ERRORS, connect_async, drop_connections
from pipeline.redis_store.server_states import may_have_moved
from pipeline.subscriber.options import BaseSubscriber, log_failure
from pipeline.subscriber.protocol import Command, Delivery, Failed, NoGroupError, Outcome


class AsyncSubscriber(BaseSubscriber):
    """Reads events by `async for` or by `handle`, until `stop` or the end of its task.

    The arguments are those of `BaseSubscriber`.
    """

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Return unacknowledged events to the group and close the connections."""
        steps = self._reader.leave()
        with suppress(*CLIENT_ERRORS, StopIteration):  # other consumers take it later
            step = next(steps)
            while isinstance(step, Command):
                call = getattr(self._client, step.name)
                step = steps.send(await call(*step.arguments, **step.options))
        await self._client.aclose()

    async def __aiter__(self) -> AsyncIterator[Event]:
        """Yield events; each is acknowledged when the next one is requested.

        Raises:
            EventStoreError: if the server refuses. While it is unavailable, the iteration waits.
            GapError: if events are missing and the subscriber has `raise_on_gap`.
        """
        deliveries = self._deliveries()
        try:
            delivery = await anext(deliveries)
            while True:
                yield delivery.event
                delivery = await deliveries.asend(True)
        except StopAsyncIteration:
            return
        finally:
            await deliveries.aclose()

    async def handle(self, function: Callable[[Event], Awaitable[object]]) -> None:
        """Await a function with every event; one for which it raises is tried again later.

        Args:
            function: a coroutine function; returns when the event is handled.

        Raises:
            EventStoreError: if the server refuses.
            GapError: if events are missing and the subscriber has `raise_on_gap`.
        """
        deliveries = self._deliveries()
        try:
            delivery = await anext(deliveries)
            while True:
                try:
                    await function(delivery.event)
                    outcome: Outcome = True
                except Exception as error:
                    log_failure(delivery.event, error)
                    outcome = None if self._stop.is_set() else Failed(str(error))
                delivery = await deliveries.asend(outcome)
        except StopAsyncIteration:
            return
        finally:
            await deliveries.aclose()

    def _connect(self, url: str, *, socket_timeout_s: float) -> Any:
        return connect_async(url, socket_timeout_s=socket_timeout_s)

    async def _deliveries(self) -> AsyncGenerator[Delivery, Outcome]:
        steps = self._reader.steps()
        answer: Any = None
        error: Exception | None = None
        try:
            while True:
                try:
                    step = steps.send(answer) if error is None else steps.throw(error)
                except StopIteration:
                    return
                answer, error = None, None
                if isinstance(step, Delivery):
                    if self._stop.is_set():
                        return
                    self.last_entry_id = step.entry_id
                    answer = yield step
                elif isinstance(step, Command):
                    answer, error = await self._execute(step)
                    if self._stop.is_set() and step.name != "xack":
                        return
                else:
                    self._report(step)
        finally:
            steps.close()

    async def _execute(self, command: Command) -> tuple[Any, Exception | None]:
        while True:
            try:
                call = getattr(self._client, command.name)
                answer = await call(*command.arguments, **command.options)
            except CLIENT_ERRORS as error:
                thrown = self._classify(error, command)
                if isinstance(thrown, NoGroupError):
                    return None, thrown
                if may_have_moved(error) and (closing := drop_connections(self._client)):
                    await closing
            else:
                self._note_answer(command)
                _raise_if_cancelled()
                return answer, None
            if self._stop.is_set():
                return None, None
            await asyncio.sleep(self._next_pause_s())
            if thrown is not None:
                return None, thrown


def _raise_if_cancelled() -> None:
    """Raise the cancellation that redis-py (8.1) swallows if a reply comes at the same time."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
