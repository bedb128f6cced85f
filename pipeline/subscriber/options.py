"""What the blocking and the asyncio subscriber share: options, reports, errors, back-off."""

from __future__ import annotations

import logging
import os
import socket
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from pipeline.event_filter import EventFilter
from pipeline.events import Event, SequenceGap
from pipeline.printable import printable
from pipeline.redaction import mask_url
from pipeline.redis_store.connection import explained
from pipeline.redis_store.names import StreamKeys
from pipeline.redis_store.server_states import is_final, state_of
from pipeline.runtime.backoff import next_pause_s
from pipeline.subscriber.group_reader import GroupReader, GroupSettings
from pipeline.subscriber.protocol import (
    BEGINNING,
    NEWEST,
    Command,
    NoGroupError,
    ReplyLostError,
    is_entry_id,
)
from pipeline.subscriber.reports import GapError, Report, Trimmed
from pipeline.subscriber.solo_reader import SoloReader

DEFAULT_STREAM = "behaviour:events"
_BACKOFF_S = (0.1, 3.0)  # first and longest pause while the server is unavailable

log = logging.getLogger(__name__)


def log_report(report: Report) -> None:
    """Log a report as a warning; the default of `on_report`."""
    log.warning("%s", printable(str(report)))


def log_failure(event: Event, error: Exception) -> None:
    """Log that handling an event failed; its names and the error come from other programs."""
    log.warning("event %s failed: %s", printable(event.event_id), printable(str(error)))


class BaseSubscriber(ABC):
    """Reads the events of a stream.

    Args:
        url: of the Redis server, see `redis_store.connection.connect`.
        stream: key of the stream.
        group: consumers of one group share the events, and the server remembers what the group has
            read; None: read alone, nothing is remembered.
        consumer: name in the group, HOST-PID by default. It must differ within the group. One that
            stays the same over a restart resumes immediately with what it had not acknowledged;
            else other consumers take that after `claim_after_s`.
        start: where a new group, or a reader without one, begins: `0` for everything on the stream,
            `$` for what comes from now on, or the id of the entry after which to resume.
        wanted: which events are delivered; None: actions of all cameras.
        max_tries: an event that was delivered so often without an acknowledgement is moved to the
            stream `StreamKeys.dead_letters`. Of groups, as the next two.
        claim_after_s: longer than handling an event ever takes, seconds; a consumer that is silent
            for so long is taken for dead.
        retry_after_s: pause before an event that failed in `handle` is tried again, seconds.
        block_s: longest wait within one command, hence the longest delay of a stop, seconds.
        on_report: called with gaps, duplicates, unreadable entries and dead letters.
        raise_on_gap: raise GapError for missing events instead.
        to_end_only: without a group: end at the entry that is the newest one at the start.

    Attributes:
        name: the URL without credentials.
        last_entry_id: of the newest event that was delivered; None before the first.

    Raises:
        EventStoreError: if `url` is no Redis URL.
        ValueError: if `start` is none of the above.
    """

    def __init__(
        self,
        url: str,
        *,
        stream: str = DEFAULT_STREAM,
        group: str | None = None,
        consumer: str | None = None,
        start: str = NEWEST,
        wanted: EventFilter | None = None,
        max_tries: int = 5,
        claim_after_s: float = 60.0,
        retry_after_s: float = 5.0,
        block_s: float = 0.5,
        on_report: Callable[[Report], None] = log_report,
        raise_on_gap: bool = False,
        to_end_only: bool = False,
    ) -> None:
        if start not in (BEGINNING, NEWEST) and not is_entry_id(start):
            raise ValueError(f"start must be 0, $ or an entry id, got {start!r}")
        self.name = mask_url(url)
        self.last_entry_id: str | None = None
        keys, wanted = StreamKeys(stream), wanted or EventFilter()
        self._reader: GroupReader | SoloReader
        if group is None:
            self._reader = SoloReader(keys, start, wanted, block_s=block_s, to_end_only=to_end_only)
        else:
            settings = GroupSettings(
                group=group,
                consumer=consumer or f"{socket.gethostname()}-{os.getpid()}",
                start=start,
                max_tries=max_tries,
                claim_after_s=claim_after_s,
                retry_after_s=retry_after_s,
                block_s=block_s,
            )
            self._reader = GroupReader(keys, settings, wanted)
        self._on_report, self._raise_on_gap = on_report, raise_on_gap
        self._states: set[str] = set()  # of the server, reported since it last answered
        self._failed: set[tuple[str, object]] = set()  # commands that failed since
        self._pause_s = 0.0
        self._stop = threading.Event()
        self._client = self._connect(url, socket_timeout_s=block_s + 2.0)

    def stop(self) -> None:
        """End the iteration within `block_s`; from any thread or signal handler."""
        self._stop.set()

    @abstractmethod
    def _connect(self, url: str, *, socket_timeout_s: float) -> Any:
        """Return a client without retries: the subscriber itself retries."""

    def _report(self, report: Report) -> None:
        if self._raise_on_gap and isinstance(report, SequenceGap | Trimmed):
            raise GapError(report)
        self._on_report(report)

    def _classify(self, error: Exception, command: Command) -> Exception | None:
        """Return what to throw into the reader after a pause; None: repeat the command.

        Raises:
            EventStoreError: if the server refuses, which no waiting changes.
        """
        if "NOGROUP" in str(error):
            return NoGroupError()
        if is_final(error):
            raise explained(error, self.name) from error
        state = state_of(error)
        if state not in self._states:  # of each change one line, however long it lasts
            log.warning("%s; waiting for it", explained(error, self.name))
        self._states.add(state)
        self._failed.add(_kind(command))
        return None if command.idempotent else ReplyLostError()

    def _note_answer(self, command: Command) -> None:
        """Note that a command succeeded; a server that refuses to write may well answer reads."""
        self._failed.discard(_kind(command))
        if self._failed:
            return
        if self._states:
            log.warning("Redis at %s answers again", self.name)
        self._states.clear()
        self._pause_s = 0.0

    def _next_pause_s(self) -> float:
        first_s, longest_s = _BACKOFF_S
        self._pause_s = next_pause_s(self._pause_s, first_s=first_s, longest_s=longest_s)
        return self._pause_s


def _kind(command: Command) -> tuple[str, object]:
    """Return what two commands have in common that a server treats alike: name and script."""
    return command.name, command.arguments[0] if command.name == "eval" else None
