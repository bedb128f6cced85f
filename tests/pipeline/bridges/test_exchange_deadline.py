"""The deadline alone; what it does for a webhook is tested there."""

from __future__ import annotations

import threading

import pytest

from pipeline.bridges.exchange_deadline import DeadlineAdapter


def test_a_block_that_ends_in_time_raises_what_it_raises() -> None:
    adapter = DeadlineAdapter()
    with adapter.within(60.0):
        pass
    with pytest.raises(ZeroDivisionError), adapter.within(60.0):
        raise ZeroDivisionError


@pytest.mark.parametrize("error", [None, ConnectionResetError()])
def test_a_block_that_was_cut_timed_out_whatever_it_raises(error: Exception | None) -> None:
    adapter, cut = DeadlineAdapter(), threading.Event()
    with pytest.raises(TimeoutError), adapter.within(0.01):
        while not adapter.expired:
            cut.wait(0.01)
        if error is not None:
            raise error
    with adapter.within(60.0):  # the next one is not concerned
        pass
