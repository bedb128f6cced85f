from __future__ import annotations

import threading

import pytest

from pipeline.runtime.channel import Channel, ChannelCancelled


def in_thread(target: object, *args: object) -> threading.Thread:
    thread = threading.Thread(target=target, args=args)  # type: ignore[arg-type]
    thread.start()
    return thread


def test_what_is_put_comes_out_in_order_and_then_it_ends() -> None:
    channel = Channel[int](10)
    for number in range(5):
        channel.put(number)
    channel.finish()
    assert list(channel) == [0, 1, 2, 3, 4]


def test_a_full_channel_makes_the_producer_wait_and_loses_nothing() -> None:
    channel = Channel[int](2)

    def produce() -> None:
        for number in range(100):
            channel.put(number)
        channel.finish()

    producer = in_thread(produce)
    assert list(channel) == list(range(100))
    producer.join()


def test_a_channel_never_holds_more_than_its_capacity() -> None:
    channel = Channel[int](3)
    held = []

    def produce() -> None:
        for number in range(50):
            channel.put(number)
        channel.finish()

    producer = in_thread(produce)
    for _ in channel:
        held.append(len(channel))
    producer.join()
    assert max(held) <= 3


def test_cancel_wakes_a_producer_that_waits_for_room() -> None:
    channel = Channel[int](1)
    channel.put(0)
    woken = []

    def produce() -> None:
        with pytest.raises(ChannelCancelled):
            channel.put(1)
        woken.append(True)

    producer = in_thread(produce)
    channel.cancel()
    producer.join()
    assert woken == [True]


def test_cancel_drops_what_is_queued_and_ends_the_consumer() -> None:
    channel = Channel[int](5)
    channel.put(1)
    channel.cancel()
    assert list(channel) == []


def test_cancel_wakes_a_consumer_that_waits_for_items() -> None:
    channel = Channel[int](5)
    received: list[int] = []
    consumer = in_thread(lambda: received.extend(channel))
    channel.cancel()
    consumer.join()
    assert received == []


def test_a_batch_takes_what_is_there_up_to_its_size() -> None:
    channel = Channel[int](10)
    for number in range(5):
        channel.put(number)
    channel.finish()
    assert list(channel.batches(max_size=3)) == [[0, 1, 2], [3, 4]]


def test_a_channel_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="room for at least one"):
        Channel[int](0)
