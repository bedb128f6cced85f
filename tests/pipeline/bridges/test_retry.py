"""An outage is waited for, an event that is refused is not."""

from __future__ import annotations

import threading

import pytest

from pipeline.bridges.retry import BridgeError, UnavailableError, retrying_while_unavailable
from pipeline.events import Event
from tests.pipeline.decided_items import make_event


class Scripted:
    """Raises what it was given, one after the other, then takes the event."""

    def __init__(self, *errors: Exception) -> None:
        self._errors = list(errors)
        self.tries = 0
        self.taken: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.tries += 1
        if self._errors:
            raise self._errors.pop(0)
        self.taken.append(event)


def test_an_outage_is_waited_for_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    send = Scripted(
        *[UnavailableError("hook is away")] * 7,
        UnavailableError("no DNS"),
        UnavailableError("no DNS"),
    )
    retrying_while_unavailable(send, threading.Event(), (0.0, 0.0))(make_event(1))
    assert send.taken == [make_event(1)]
    assert [record.message for record in caplog.records] == [
        "hook is away; waiting for it",
        "no DNS; waiting for it",
        "the receiver accepts events again",
    ]


def test_an_event_that_is_refused_is_not_waited_for() -> None:
    send = Scripted(
        UnavailableError("away"),
        BridgeError("refused"),
        UnavailableError("never asked"),
    )
    with pytest.raises(BridgeError, match="refused"):
        retrying_while_unavailable(send, threading.Event(), (0.0, 0.0))(make_event(1))
    assert send.tries == 2


def test_a_stop_ends_the_waiting_and_the_event_is_not_done() -> None:
    stop = threading.Event()
    stop.set()
    send = Scripted(UnavailableError("away"))
    with pytest.raises(UnavailableError):
        retrying_while_unavailable(send, stop, (60.0, 60.0))(make_event(1))
    assert send.taken == []


def test_pauses_double_up_to_the_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    stop, pauses = threading.Event(), []

    def wait(timeout: float | None = None) -> bool:
        pauses.append(timeout)
        return False

    monkeypatch.setattr(stop, "wait", wait)
    send = Scripted(*[UnavailableError("away")] * 7)
    retrying_while_unavailable(send, stop, uniform=lambda low, high: high)(make_event(1))
    assert pauses == [1, 2, 4, 8, 16, 30, 30]


def test_a_receiver_that_asks_for_more_time_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    stop, pauses = threading.Event(), []

    def wait(timeout: float | None = None) -> bool:
        pauses.append(timeout)
        return False

    monkeypatch.setattr(stop, "wait", wait)
    asked = UnavailableError("busy", retry_after_s=120.0)
    send = Scripted(UnavailableError("busy"), asked, UnavailableError("busy"))
    retrying_while_unavailable(send, stop, uniform=lambda low, high: high)(make_event(1))
    assert pauses == [1, 120, 4]
