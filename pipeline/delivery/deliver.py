"""The delivery of one run: outbox, publisher and stream, from its start to its end."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.config.delivery import RedisConfig
from pipeline.delivery.camera_heartbeat import CameraHeartbeat
from pipeline.delivery.outbox_sink import OutboxSink
from pipeline.delivery.publisher import Publisher
from pipeline.delivery.storage.outbox import Outbox
from pipeline.delivery.storage.outbox_file import StoredEvent
from pipeline.delivery.storage.outbox_folder import is_in_use, open_outboxes, outboxes_in
from pipeline.delivery.stream_writer import EventStream, Trimming
from pipeline.errors import EventStoreError, OutboxError
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
    cancelled: threading.Event,
    *,
    spool: bool = False,
    heartbeat: CameraHeartbeat | None = None,
    published: Callable[[StoredEvent, float], None] = lambda event, at: None,
) -> Iterator[OutboxSink]:
    """Yield the sink of a run; events that earlier runs left are delivered first.

    Args:
        url: of the server.
        section: stream, limits and times.
        folder: holds the outboxes.
        run_id: of this run.
        cancelled: ends every wait when set.
        spool: an unavailable server is no error, neither at the start nor at the end: events wait
            for it on disk, as they do during the run.
        heartbeat: records the state of the cameras; None makes one.
        published: called with every event of this run that Redis has, and the Unix time of it.

    Raises:
        EventStoreError: unless `spool`, if the server is unavailable at the start for longer
            than `section.wait_s`, or lacks events that long after the end.
        OutboxError: if the folder cannot be created for a reason that does not pass by itself.
    """
    with (
        open_stream(url, section) as stream,
        open_outboxes(
            folder, run_id, _target(section), max_bytes=section.outbox_max_mb * 2**20
        ) as (left, own),
    ):
        if not spool:
            _wait_until_there(stream, section.wait_s, cancelled)
        assert own is not None
        heartbeat = heartbeat or CameraHeartbeat(run_id)
        publisher = Publisher([*left, own], stream, heartbeat, published=published)
        wait_s = min(section.wait_s, _SPOOL_WAIT_S) if spool else section.wait_s
        at_most_s = _SPOOL_WAIT_S if spool else float("inf")
        publisher.start()
        try:
            yield OutboxSink(own, publisher, heartbeat)
        except BaseException:
            own.interrupt()  # close the actions that the error left open
            if missing := _finish(own, publisher, wait_s, cancelled, at_most_s):
                log.error("%s", _undelivered(missing, folder, stream, own.move_to_disk()))
            raise
        if missing := _finish(own, publisher, wait_s, cancelled, at_most_s):
            text = _undelivered(missing, folder, stream, own.move_to_disk())
            if not spool:
                raise EventStoreError(text)
            log.warning("%s", text)


def _finish(
    own: Outbox,
    publisher: Publisher,
    timeout_s: float,
    cancelled: threading.Event,
    at_most_s: float = float("inf"),
) -> int:
    """Deliver the rest and remove an empty outbox; returns how many events are left."""
    missing = publisher.drain(timeout_s, cancelled, at_most_s)
    publisher.stop()
    if not own.waiting:
        own.remove()
    return missing


def flush_events(url: str, section: RedisConfig, folder: Path, cancelled: threading.Event) -> int:
    """Deliver what earlier runs left, whichever server it was meant for.

    Args:
        url: of the server.
        section: stream, limits and times.
        folder: holds the outboxes.
        cancelled: ends every wait when set.

    Returns:
        How many events were added to the stream; those that it had already are not counted.

    Raises:
        EventStoreError: if the server accepts none for `section.wait_s`.
        OutboxError: if not everything is out: an outbox cannot be opened now, or records of one
            were set aside. What could be delivered is.
    """
    evidence = _evidence(folder)
    delivered = _flush_what_opens(url, section, folder, cancelled)
    left = [path for path in outboxes_in(folder) if not is_in_use(path)]
    if left:
        raise OutboxError(
            f"{delivered} events delivered, but not those in {', '.join(map(str, left))}, which "
            "cannot be opened now (see above); run flush again when that has passed"
        )
    if found := sorted(path.name for path, _ in _evidence(folder) - evidence):
        raise OutboxError(
            f"{delivered} events delivered; others are set aside in {folder}: {', '.join(found)}"
        )
    return delivered


def _flush_what_opens(
    url: str, section: RedisConfig, folder: Path, cancelled: threading.Event
) -> int:
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
        _wait_until_there(stream, section.wait_s, cancelled)
        publisher = Publisher(left, stream, has_own=False)
        publisher.start()
        missing = publisher.drain(section.wait_s, cancelled)
        publisher.stop()
        if missing:
            raise EventStoreError(_undelivered(missing, folder, stream))
        return publisher.counts.delivered


def _evidence(folder: Path) -> set[tuple[Path, int]]:
    """Return the files with what was not delivered because it was damaged, and their sizes."""
    patterns = ("*.damaged*", "*.quarantine", "*.broken")
    found = (path for pattern in patterns for path in folder.glob(pattern))
    return {(path, path.stat().st_size) for path in found}


def open_stream(url: str, section: RedisConfig) -> EventStream:
    """Open the configured stream on a server."""
    trimming = Trimming(section.maxlen, section.max_age_s)
    return EventStream(url, stream=section.stream, trimming=trimming)


def _target(section: RedisConfig) -> str:
    return f"{mask_url(section.url)} {section.stream}"


def _undelivered(count: int, folder: Path, stream: EventStream, in_memory: int = 0) -> str:
    kept = f"they are kept in {folder}"
    if in_memory:
        kept = f"{count - in_memory} are kept in {folder}, which takes no more; the others are lost"
    return (
        f"Redis at {stream.name} lacks {count} events; {kept}: "
        "`run_pipeline.py flush` with the same --output and --redis delivers them, and so does the "
        "next run"
    )


def _wait_until_there(stream: EventStream, timeout_s: float, cancelled: threading.Event) -> None:
    deadline, logged = time.monotonic() + timeout_s, False
    while True:
        try:
            stream.ping()
        except EventStoreError as error:
            if time.monotonic() >= deadline or cancelled.wait(_POLL_S):
                raise
            if not logged:
                log.warning("%s; waiting %g s for it", error, timeout_s)
            logged = True
        else:
            return
