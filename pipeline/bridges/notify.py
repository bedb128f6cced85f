"""Events as messages to people: few enough to be read, and none of them silently missing."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Protocol

from pipeline.bridges.held_back import HeldBack
from pipeline.bridges.message_text import text_of
from pipeline.bridges.quiet_hours import QuietHours
from pipeline.bridges.retry import BridgeError
from pipeline.bridges.snapshot_file import snapshot_of
from pipeline.events import AlarmEvent, CameraEvent, Event, EvidenceEvent

_REMEMBERED = 1000  # events that are recognized when they are delivered again
_SUMMARY_PAUSE_S = 60.0  # between two attempts to send a summary
_WHAT = "{what} at {camera}"

log = logging.getLogger(__name__)


class MessageService(Protocol):
    """What sends a message."""

    name: str

    def send(self, title: str, text: str, image: bytes | None = None) -> None:
        """Send a message; see `AppriseService.send`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSettings:
    """What a target's messages say, and how many there may be."""

    title: str  # templates, see `message_text`
    text: str
    zone: tzinfo | None  # of times; None: that of this machine
    quiet: QuietHours | None
    max_messages: int  # within window_s
    window_s: float
    max_age_s: float | None  # an older event is not sent any more; None: any age
    evidence: Path | None  # folder of the snapshots; None: none is sent


class NotifyBridge:
    """Sends events to one service; what a limit holds back is in the next message.

    Without a next event it is in a message of its own, as soon as the limits allow one: call
    `send_summary` now and then, from any thread.

    Args:
        target: its name in the configuration.
        service: sends.
        settings: what and how many.
        now: Unix seconds.
        monotonic: seconds on a clock that is never set back.
    """

    def __init__(
        self,
        target: str,
        service: MessageService,
        settings: MessageSettings,
        *,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = f"{target} ({service.name})"
        self._service, self._settings = service, settings
        self._now, self._monotonic = now, monotonic
        self._lock = threading.Lock()
        self._held = HeldBack()
        self._sent_at: deque[float] = deque(maxlen=settings.max_messages)
        self._done: deque[str] = deque(maxlen=_REMEMBERED)
        self._first_try = ("", 0.0)  # of the event in hand, and on which monotonic second
        self._summary_after = 0.0

    def send(self, event: Event) -> None:
        """Send the event as a message, or hold it back and count it.

        Raises:
            UnavailableError: if the service does not answer, or is busy.
            BridgeError: if it refuses the message.
        """
        with self._lock:
            if event.event_id in self._done:  # its acknowledgement was lost
                return
            if event.event_id != self._first_try[0]:
                self._first_try = event.event_id, self._monotonic()
            why = self._why_not_now(event)
            if why:
                self._held.add(text_of(_WHAT, event, None), why)
            else:
                self._send_now(event)
            self._done.append(event.event_id)

    def send_summary(self) -> None:
        """Send what was held back as a message of its own, if the limits allow a message now."""
        if not self._lock.acquire(blocking=False):  # a message is on its way and will have it
            return
        try:
            waits = self._monotonic() < self._summary_after
            if self._held and not waits and not self._is_quiet() and not self._is_full():
                self._summary_after = self._monotonic() + _SUMMARY_PAUSE_S
                self._deliver("behaviour-stream", self._held.summary(), None)
        except BridgeError as error:
            log.warning("%s: %s; the summary waits", self.name, error)
        finally:
            self._lock.release()

    def close(self) -> None:
        """Log what was held back and never reported."""
        if self._held:
            log.warning("%s: not sent: %s", self.name, self._held.summary())

    def _send_now(self, event: Event) -> None:
        settings = self._settings
        lines = [text_of(settings.text, event, settings.zone)]
        if self._held:
            lines.append(self._held.summary())
        title = " ".join(text_of(settings.title, event, settings.zone).split())
        self._deliver(title, "\n".join(lines), snapshot_of(event, settings.evidence))

    def _deliver(self, title: str, text: str, image: bytes | None) -> None:
        self._service.send(title, text, image)
        self._sent_at.append(self._monotonic())
        self._held.clear()

    def _why_not_now(self, event: Event) -> str:
        severity = event.severity if isinstance(event, AlarmEvent) else ""
        quiet = self._settings.quiet
        if self._is_too_old(event):
            return "too old"
        if self._is_quiet() and quiet is not None and severity not in quiet.except_severities:
            return "quiet hours"
        return "too many" if self._is_full() else ""

    def _is_quiet(self) -> bool:
        return self._settings.quiet is not None and self._settings.quiet.cover(self._now())

    def _is_full(self) -> bool:
        oldest_counts = len(self._sent_at) == self._settings.max_messages
        return oldest_counts and self._monotonic() - self._sent_at[0] < self._settings.window_s

    def _is_too_old(self, event: Event) -> bool:
        """By its own time, or because the service has not taken it for so long."""
        longest_s = self._settings.max_age_s
        if longest_s is None:
            return False
        if self._monotonic() - self._first_try[1] > longest_s:
            return True
        text = event.time if isinstance(event, CameraEvent | EvidenceEvent) else event.end_time
        return (
            text is not None and self._now() - datetime.fromisoformat(text).timestamp() > longest_s
        )
