from __future__ import annotations

import threading
import weakref
from collections.abc import Generator, Iterable

import pytest

from pipeline.runtime.channel import Channel
from pipeline.runtime.stage_group import StageGroup


def numbers(count: int, closed: list[str], stop: threading.Event) -> Generator[int, None, None]:
    try:
        for number in range(count):
            if stop.is_set():
                return
            yield number
    finally:
        closed.append("source")


def doubled(items: Iterable[int]) -> Generator[int, None, None]:
    for item in items:
        yield 2 * item


def failing_at(items: Iterable[int], bad: int) -> Generator[int, None, None]:
    for item in items:
        if item == bad:
            raise RuntimeError("stage broke")
        yield item


def no_stage_thread_left() -> bool:
    return not [t for t in threading.enumerate() if t.name.startswith("test-stage")]


def test_everything_flows_through_and_all_threads_end() -> None:
    stop, closed = threading.Event(), list[str]()
    first, second = Channel[int](2), Channel[int](2)
    with StageGroup(stop) as stages:
        stages.start("test-stage source", numbers(50, closed, stop), first)
        stages.start("test-stage double", doubled(first), second)
        assert list(second) == [2 * n for n in range(50)]
    assert closed == ["source"]
    assert no_stage_thread_left()


def test_an_error_in_a_middle_stage_unblocks_the_source_and_is_raised() -> None:
    stop, closed = threading.Event(), list[str]()
    first, second = Channel[int](1), Channel[int](1)
    with pytest.raises(RuntimeError, match="stage broke"), StageGroup(stop) as stages:
        stages.start("test-stage source", numbers(10_000, closed, stop), first)
        stages.start("test-stage fail", failing_at(first, 3), second)
        list(second)
    assert closed == ["source"]
    assert stop.is_set()
    assert no_stage_thread_left()


def test_an_error_in_the_sink_unblocks_everything_and_is_raised() -> None:
    stop, closed = threading.Event(), list[str]()
    channel = Channel[int](1)
    with pytest.raises(ValueError, match="disk full"), StageGroup(stop) as stages:
        stages.start("test-stage source", numbers(10_000, closed, stop), channel)
        for _ in channel:
            raise ValueError("disk full")
    assert closed == ["source"]
    assert no_stage_thread_left()


def test_stop_lets_what_was_read_flow_to_the_end() -> None:
    stop, closed = threading.Event(), list[str]()
    first, second = Channel[int](1), Channel[int](1)
    received = []
    with StageGroup(stop) as stages:
        stages.start("test-stage source", numbers(10_000, closed, stop), first)
        stages.start("test-stage double", doubled(first), second)
        for item in second:
            received.append(item)
            if len(received) == 5:
                stop.set()
    assert received == [2 * n for n in range(len(received))]
    assert 5 <= len(received) < 20
    assert not stages.cancelled


def test_cancel_ends_immediately_without_an_error() -> None:
    stop, closed = threading.Event(), list[str]()
    channel = Channel[int](1)
    with StageGroup(stop) as stages:
        stages.start("test-stage source", numbers(10_000, closed, stop), channel)
        stages.cancel()
        assert list(channel) == []
    assert closed == ["source"]
    assert no_stage_thread_left()


def test_a_stage_may_be_started_by_another_stage() -> None:
    stop, closed = threading.Event(), list[str]()
    outer = Channel[int](1)

    with StageGroup(stop) as stages:

        def opening() -> Generator[int, None, None]:
            inner = Channel[int](1)
            stages.start("test-stage inner", numbers(3, closed, stop), inner)
            yield from inner

        stages.start("test-stage outer", opening(), outer)
        assert list(outer) == [0, 1, 2]
    assert no_stage_thread_left()


def test_the_first_error_wins() -> None:
    stop = threading.Event()
    channel = Channel[int](1)

    def fails_first() -> Generator[int, None, None]:
        raise KeyError("first")
        yield 0

    with pytest.raises(KeyError, match="first"), StageGroup(stop) as stages:
        stages.start("test-stage fail", fails_first(), channel)
        list(channel)
        raise ValueError("second, a consequence")


def test_stages_that_have_ended_are_forgotten() -> None:
    """A camera that is lost and found again all night starts a thread each time."""
    stop, outputs = threading.Event(), list[weakref.ref[Channel[int]]]()
    with StageGroup(stop) as stages:
        for _ in range(20):
            output = Channel[int](1)
            thread = stages.start("test-stage short", numbers(1, [], stop), output)
            assert list(output) == [0]
            thread.join()
            outputs.append(weakref.ref(output))
            del output, thread
        assert sum(output() is not None for output in outputs) <= 1
    assert no_stage_thread_left()


def test_a_stage_that_another_stage_starts_at_its_very_end_is_joined_too() -> None:
    stop, inner_ended = threading.Event(), threading.Event()
    outer, inner = Channel[int](1), Channel[int](1)

    def last(outer_thread: threading.Thread) -> Generator[int, None, None]:
        yield 1
        outer_thread.join()
        inner_ended.set()

    with StageGroup(stop) as stages:

        def first() -> Generator[int, None, None]:
            yield 0
            stages.start("test-stage inner", last(threading.current_thread()), inner)

        stages.start("test-stage outer", first(), outer)
    assert inner_ended.is_set()
    assert no_stage_thread_left()


def test_an_error_in_a_stage_that_another_stage_started_is_raised() -> None:
    stop = threading.Event()
    outer, inner = Channel[int](1), Channel[int](1)
    with pytest.raises(RuntimeError, match="stage broke"), StageGroup(stop) as stages:

        def opening() -> Generator[int, None, None]:
            stages.start("test-stage inner", failing_at([1], 1), inner)
            yield from inner

        stages.start("test-stage outer", opening(), outer)
        list(outer)
    assert no_stage_thread_left()


def test_a_stage_that_is_started_after_a_cancel_ends_immediately() -> None:
    stop, closed = threading.Event(), list[str]()
    output = Channel[int](1)
    with StageGroup(stop) as stages:
        stages.cancel()
        stages.start("test-stage late", numbers(10_000, closed, stop), output)
        assert list(output) == []
    assert no_stage_thread_left()


def test_cancelling_sets_the_event_of_a_source() -> None:
    stop = threading.Event()
    channel = Channel[int](1)
    with StageGroup(threading.Event()) as stages:
        stages.start("test-stage source", numbers(10_000, [], stop), channel, stop=stop)
        stages.cancel()
    assert stop.is_set()
    assert no_stage_thread_left()


def test_a_function_runs_in_a_thread_that_is_waited_for() -> None:
    ran = list[str]()
    with StageGroup(threading.Event()) as stages:
        stages.run("test-stage function", lambda: ran.append(threading.current_thread().name))
    assert ran == ["test-stage function"]
    assert no_stage_thread_left()


def test_an_error_in_a_function_ends_the_stages_and_is_raised() -> None:
    def fail() -> None:
        raise RuntimeError("a bug")

    stop, closed = threading.Event(), list[str]()
    channel = Channel[int](1)
    with pytest.raises(RuntimeError, match="a bug"), StageGroup(stop) as stages:
        stages.start("test-stage source", numbers(10_000, closed, stop), channel)
        stages.run("test-stage function", fail)
        list(channel)
    assert closed == ["source"]
    assert stop.is_set()
    assert no_stage_thread_left()
