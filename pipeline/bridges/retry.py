"""How a bridge sends events: an outage of the receiver is waited for and costs no event a try."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from pipeline.errors import PipelineError
from pipeline.events import Event
from pipeline.runtime.backoff import next_pause_s

_PAUSES_S = (1.0, 30.0)  # first and longest

log = logging.getLogger(__name__)

Send = Callable[[Event], None]


class BridgeError(PipelineError):
    """The receiver answered and did not accept the event: this costs one of its tries."""


class UnavailableError(BridgeError):
    """The receiver cannot be reached or is busy, whatever the event.

    Args:
        message: the reason.
        retry_after_s: for how long the receiver asks to be left alone, seconds.
    """

    def __init__(self, message: str, *, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


def retrying_while_unavailable(
    send: Send,
    stop: threading.Event,
    pauses_s: tuple[float, float] = _PAUSES_S,
    uniform: Callable[[float, float], float] | None = None,
) -> Send:
    """Wrap `send` so that it waits while the receiver is unavailable.

    Five tries are over in half a minute. Without this, all events of an outage of an hour would be
    dead-lettered as if they were bad; with it they stay on the stream, in order.

    Args:
        send: sends an event, or raises.
        stop: ends the waiting.
        pauses_s: first and longest pause between two attempts, seconds; see `next_pause_s`.
        uniform: draws the random part of a pause.

    Returns:
        A function that raises UnavailableError only if it was stopped, else what `send` raises.
    """

    def send_and_wait(event: Event) -> None:
        pause_s, logged = 0.0, ""
        first_s, longest_s = pauses_s
        while True:
            try:
                send(event)
            except UnavailableError as error:
                if str(error) != logged:  # an hour of the same reason is one line
                    log.warning("%s; waiting for it", error)
                logged = str(error)
                pause_s = next_pause_s(
                    pause_s, first_s=first_s, longest_s=longest_s, uniform=uniform
                )
                if stop.wait(max(pause_s, error.retry_after_s)):
                    raise
            else:
                if logged:
                    log.warning("the receiver accepts events again")
                return

    return send_and_wait
