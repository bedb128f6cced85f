"""The subscriber for asyncio; see `pipeline.subscriber`, whose twin it is."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any, Self

import redis

from pipeline.events import Event
from pipeline.redis_store.connection import connect_async
from pipeline.subscriber.options import BACKOFF_S, BaseSubscriber
from pipeline.subscriber.protocol import Command, Delivery

log = logging.getLogger(__name__)


class AsyncSubscriber(BaseSubscriber):
    """`async for event in subscriber`; `stop` it or cancel its task. See also `BaseSubscriber`."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Leave the group, if nothing waits for this consumer, and close the connections."""
        steps = self._reader.leave()
        with suppress(redis.RedisError, StopIteration):  # others take what is left
            step = next(steps)
            while isinstance(step, Command):
                call = getattr(self._client, step.name)
                step = steps.send(await call(*step.arguments, **step.options))
        await self._client.aclose()

    async def __aiter__(self) -> AsyncIterator[Event]:
        """As `Subscriber.__iter__`."""
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
        """As `Subscriber.handle`, with a coroutine function; until the task is cancelled."""
        deliveries = self._deliveries()
        try:
            delivery = await anext(deliveries)
            while True:
                try:
                    await function(delivery.event)
                    dealt_with: bool | None = True
                except Exception as error:
                    log.warning("event %s failed: %s", delivery.event.event_id, error)
                    dealt_with = None if self._stop.is_set() else False
                delivery = await deliveries.asend(dealt_with)
        except StopAsyncIteration:
            return
        finally:
            await deliveries.aclose()

    def _connect(self, url: str, *, socket_timeout_s: float) -> Any:
        return connect_async(url, socket_timeout_s=socket_timeout_s)

    async def _deliveries(self) -> AsyncGenerator[Delivery, bool | None]:
        steps = self._reader.steps()
        answer: Any = None
        trouble: Exception | None = None
        try:
            while True:
                try:
                    step = steps.send(answer) if trouble is None else steps.throw(trouble)
                except StopIteration:
                    return
                answer, trouble = None, None
                if isinstance(step, Delivery):
                    if self._stop.is_set():
                        return
                    self.last_entry_id = step.entry_id
                    answer = yield step
                elif isinstance(step, Command):
                    answer, trouble = await self._try(step)
                    if self._stop.is_set() and step.name != "xack":
                        return
                else:
                    self._report(step)
        finally:
            steps.close()

    async def _try(self, command: Command) -> tuple[Any, Exception | None]:
        pause_s = BACKOFF_S[0]
        while True:
            try:
                call = getattr(self._client, command.name)
                answer = await call(*command.arguments, **command.options)
            except redis.RedisError as error:
                trouble = self._judge(error, command)
                if trouble is not None:
                    return None, trouble
            else:
                self._answered()
                _notice_cancelling()
                return answer, None
            if self._stop.is_set():
                return None, None
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, BACKOFF_S[1])


def _notice_cancelling() -> None:
    """A reply that comes in the same moment makes redis-py (8.1) swallow the cancellation."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
