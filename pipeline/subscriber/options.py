"""What the blocking subscriber and its twin for asyncio share: options, reports, errors."""

from __future__ import annotations

import logging
import os
import socket
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import redis

from pipeline.event_filter import EventFilter
from pipeline.events import SequenceGap
from pipeline.redaction import mask_url
from pipeline.redis_store.connection import explained
from pipeline.redis_store.names import StreamKeys
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
BACKOFF_S = (0.1, 3.0)  # while the server is away

log = logging.getLogger(__name__)


def log_report(report: Report) -> None:
    """What a subscriber does with reports unless told otherwise."""
    log.warning("%s", report)


class BaseSubscriber(ABC):
    """Reads the events of a stream.

    Args:
        url: see `redis_client.connect`.
        stream: its key.
        group: consumers of one name share the events; None: on its own, nothing is remembered.
        consumer: must differ within a group, and stay the same over a restart to take up again
            at once what was left; else others take it after `claim_after_s`.
        start: where a new group, or a reader without one, begins: `0`, `$` for what comes from now
            on, or the id of the entry after which to go on.
        wanted: which events.
        max_tries: an event that was given out so often without an answer goes to a stream of its
            own, `StreamKeys.dead_letters`. Of groups, as all below.
        claim_after_s: longer than an event ever takes; a consumer that is silent for so long is
            taken for dead.
        retry_after_s: pause before an event that failed in `handle` is tried again.
        block_s: how late a stop may be noticed.
        on_report: is told of gaps, duplicates, unreadable entries and events that were put aside.
        raise_on_gap: raise GapError instead.
        to_end_only: without a group: end at what is the newest entry at the start.

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
        self.last_entry_id: str | None = None  # of the newest event that was delivered
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
        self._away = False
        self._stop = threading.Event()
        self._client = self._connect(url, socket_timeout_s=block_s + 2.0)

    def stop(self) -> None:
        """End the iteration within `block_s`; from any thread or signal handler."""
        self._stop.set()

    @abstractmethod
    def _connect(self, url: str, *, socket_timeout_s: float) -> Any:
        """A client without retries: those are made here."""

    def _report(self, report: Report) -> None:
        if self._raise_on_gap and isinstance(report, SequenceGap | Trimmed):
            raise GapError(report)
        self._on_report(report)

    def _judge(self, error: redis.RedisError, command: Command) -> Exception | None:
        """What the reader has to know of it; None: the server is away, try again."""
        if "NOGROUP" in str(error):
            return NoGroupError()
        gone = isinstance(error, redis.ConnectionError | redis.TimeoutError | redis.ReadOnlyError)
        if not gone or isinstance(error, redis.AuthenticationError):
            raise explained(error, self.name) from error
        if not self._away:
            log.warning("%s; waiting for it", explained(error, self.name))
        self._away = True
        return None if command.again else ReplyLostError()

    def _answered(self) -> None:
        if self._away:
            log.warning("Redis at %s answers again", self.name)
        self._away = False
