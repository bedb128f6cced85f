"""How a bridge hands events on: what failed is tried again, and an outage is waited for."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from pipeline.errors import PipelineError
from pipeline.events import Event

_PAUSES_S = (1.0, 30.0)  # first and longest

log = logging.getLogger(__name__)

Send = Callable[[Event], None]


class BridgeError(PipelineError):
    """The other side was reached and did not take the event: one try of those that it has."""


class UnavailableError(BridgeError):
    """The other side cannot be reached or is busy; that is not the event's fault."""


def retrying_while_unavailable(
    send: Send, stop: threading.Event, pauses_s: tuple[float, float] = _PAUSES_S
) -> Send:
    """Wrap `send` so that an outage of the receiver costs no event one of its tries.

    Five tries are over in half a minute. Without this, all events of an outage of an hour would be
    put aside as if they were bad; with it they stay on the stream, in order.

    Args:
        send: hands an event on, or raises.
        stop: ends the waiting.
        pauses_s: first and longest pause between two attempts; it doubles.

    Returns:
        A function that raises UnavailableError only if it was stopped, else what `send` raises.
    """

    def send_and_wait(event: Event) -> None:
        pause_s, told = pauses_s[0], ""
        while True:
            try:
                send(event)
            except UnavailableError as error:
                if str(error) != told:  # another reason is news, an hour of the same one is not
                    log.warning("%s; waiting for it", error)
                told = str(error)
                if stop.wait(pause_s):
                    raise
                pause_s = min(2 * pause_s, pauses_s[1])
            else:
                if told:
                    log.warning("events are taken again")
                return

    return send_and_wait
