"""From the end of the pipeline to the stream on Redis: outbox, publisher and how they end."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.config.delivery import RedisConfig
from pipeline.delivery.camera_heartbeat import CameraHeartbeat
from pipeline.delivery.outbox import Outbox, StoredEvent
from pipeline.delivery.outbox_folder import open_outboxes
from pipeline.delivery.outbox_sink import OutboxSink
from pipeline.delivery.publisher import Publisher
from pipeline.delivery.stream_writer import EventStream, Trimming
from pipeline.errors import EventStoreError
from pipeline.redaction import mask_url

_POLL_S = 0.25
_SPOOL_WAIT_S = 1.5  # at the end of a run whose events may stay on disk

log = logging.getLogger(__name__)


@contextmanager
def deliver_events(
    url: str,
    section: RedisConfig,
    folder: Path,
    run_id: str,
    give_up: threading.Event,
    *,
    spool: bool = False,
    heartbeat: CameraHeartbeat | None = None,
    published: Callable[[StoredEvent, float], None] = lambda event, at: None,
) -> Iterator[OutboxSink]:
    """Yield the sink of a run; what earlier runs left is delivered first.

    Args:
        url: of the server that runs.
        section: of the configuration.
        folder: of the outboxes.
        run_id: of this run.
        give_up: ends every wait.
        spool: a server that is away is no error, at the start as little as at the end: events wait
            for it on disk, as they do while the run goes on.
        heartbeat: says how the cameras are; None makes one.
        published: told of every event of this run that Redis has, and when, in Unix seconds.

    Raises:
        EventStoreError: unless `spool`, if the server is away at the start for longer than
            `section.wait_s`, or has not got everything so long after the end.
        OutboxError: if the disk refuses.
    """
    with (
        open_stream(url, section) as stream,
        open_outboxes(
            folder, run_id, _target(section), max_bytes=section.outbox_max_mb * 2**20
        ) as (left, own),
    ):
        if not spool:
            _wait_until_there(stream, section.wait_s, give_up)
        assert own is not None
        heartbeat = heartbeat or CameraHeartbeat(run_id)
        publisher = Publisher([*left, own], stream, heartbeat, published=published)
        wait_s = min(section.wait_s, _SPOOL_WAIT_S) if spool else section.wait_s
        at_most_s = _SPOOL_WAIT_S if spool else float("inf")
        publisher.start()
        try:
            yield OutboxSink(own, publisher, heartbeat)
        except BaseException:
            own.interrupt()  # end what the error keeps from ending
            if missing := _finish(own, publisher, wait_s, give_up, at_most_s):
                log.error("%s", _left_behind(missing, folder, stream))
            raise
        if missing := _finish(own, publisher, wait_s, give_up, at_most_s):
            if not spool:
                raise EventStoreError(_left_behind(missing, folder, stream))
            log.warning("%s", _left_behind(missing, folder, stream))


def _finish(
    own: Outbox,
    publisher: Publisher,
    timeout_s: float,
    give_up: threading.Event,
    at_most_s: float = float("inf"),
) -> int:
    """Deliver the rest and remove what is empty; returns how many events are left."""
    missing = publisher.drain(timeout_s, give_up, at_most_s)
    publisher.stop()
    if not missing:
        own.remove()
    return missing


def flush_events(url: str, section: RedisConfig, folder: Path, give_up: threading.Event) -> int:
    """Deliver what earlier runs left, for whatever server it was meant.

    Returns:
        How many events the stream got; those that it had already are not counted.

    Raises:
        EventStoreError: if the server takes none for `section.wait_s`.
        OutboxError: if the disk refuses.
    """
    with (
        open_stream(url, section) as stream,
        open_outboxes(
            folder,
            None,
            _target(section),
            max_bytes=section.outbox_max_mb * 2**20,
            any_target=True,
        ) as (left, _),
    ):
        if not left:
            return 0
        _wait_until_there(stream, section.wait_s, give_up)
        publisher = Publisher(left, stream)
        publisher.start()
        if missing := _finish(left[-1], publisher, section.wait_s, give_up):
            raise EventStoreError(_left_behind(missing, folder, stream))
        return publisher.counts.delivered


def open_stream(url: str, section: RedisConfig) -> EventStream:
    """The stream of the configuration on a server."""
    trimming = Trimming(section.maxlen, section.max_age_s)
    return EventStream(url, stream=section.stream, trimming=trimming)


def _target(section: RedisConfig) -> str:
    return f"{mask_url(section.url)} {section.stream}"


def _left_behind(count: int, folder: Path, stream: EventStream) -> str:
    return (
        f"Redis at {stream.name} has not got {count} events; they are kept in {folder}: "
        "`run_pipeline.py flush` with the same --output and --redis delivers them, and so does the "
        "next run"
    )


def _wait_until_there(stream: EventStream, timeout_s: float, give_up: threading.Event) -> None:
    deadline, told = time.monotonic() + timeout_s, False
    while True:
        try:
            stream.ping()
        except EventStoreError as error:
            if time.monotonic() >= deadline or give_up.wait(_POLL_S):
                raise
            if not told:
                log.warning("%s; waiting %g s for it", error, timeout_s)
            told = True
        else:
            return
