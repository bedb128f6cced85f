"""The subscriber for asyncio reads the same, and tries again what failed."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from pipeline.delivery.stream_writer import EventStream
from pipeline.events import Event
from pipeline.subscriber import AsyncSubscriber
from tests.pipeline.conftest import STREAM
from tests.pipeline.subscriber.readers import publish


async def taken(subscriber: AsyncSubscriber, count: int) -> list[int]:
    seqs: list[int] = []
    async with subscriber:
        async for event in subscriber:
            seqs.append(event.seq)
            if len(seqs) == count:
                break
    return seqs


@pytest.mark.parametrize("group", [None, "alarms"])
def test_the_twin_for_asyncio_gives_the_same(
    group: str | None, stream: EventStream, server: str
) -> None:
    publish(stream, *range(1, 101))
    subscriber = AsyncSubscriber(server, stream=STREAM, group=group, start="0", block_s=0.05)
    assert asyncio.run(asyncio.wait_for(taken(subscriber, 100), 60)) == list(range(1, 101))


def test_the_twin_for_asyncio_tries_again_what_failed(stream: EventStream, server: str) -> None:
    publish(stream, 1, 2)
    tries: Counter[int] = Counter()

    async def scenario() -> None:
        done = asyncio.Event()

        async def once_in_vain(event: Event) -> None:
            tries[event.seq] += 1
            if tries[1] < 2:
                raise ValueError("not yet")
            if tries == {1: 2, 2: 1} or tries == {1: 2, 2: 2}:
                done.set()

        async with AsyncSubscriber(
            server, stream=STREAM, group="alarms", start="0", block_s=0.05, retry_after_s=0.01
        ) as subscriber:
            handling = asyncio.create_task(subscriber.handle(once_in_vain))
            await asyncio.wait_for(done.wait(), 30)
            handling.cancel()
            with pytest.raises(asyncio.CancelledError):
                await handling

    asyncio.run(scenario())
    assert tries[1] == 2


def test_pauses_grow_while_the_server_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    subscriber = AsyncSubscriber("redis://127.0.0.1:1/0", block_s=0.05)

    async def sleep(pause_s: float) -> None:
        pauses.append(pause_s)
        if len(pauses) == 7:
            subscriber.stop()

    async def scenario() -> None:
        monkeypatch.setattr("pipeline.subscriber.asynchronous.asyncio.sleep", sleep)
        async with subscriber:
            assert [event async for event in subscriber] == []

    monkeypatch.setattr("pipeline.runtime.backoff.random.uniform", lambda low, high: high)
    asyncio.run(scenario())
    assert pauses == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.0, 3.0])
