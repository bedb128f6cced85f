"""Read the rows about zones that a run writes each minute."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from pydantic import ValidationError

from pipeline.redaction import mask_url
from pipeline.redis_store.connection import connect, reporting
from pipeline.zone_minutes import COUNTS_FIELD, ZoneMinute

_PAGE = 500  # entries per read

log = logging.getLogger(__name__)


def read_zone_rows(
    url: str,
    *,
    stream: str = "behaviour:counts",
    start: str = "0",
    follow: bool = False,
    block_s: float = 5.0,
) -> Iterator[tuple[str, ZoneMinute]]:
    """Yield the rows of a stream in order, each with the id of its entry.

    Args:
        url: of the server, as of `Subscriber`.
        stream: `redis.counts_stream` of the run.
        start: id of the entry after which to begin; `0`: the oldest one, `$`: what is new.
        follow: wait for new rows instead of ending after the newest one.
        block_s: longest wait within one command, seconds.

    Raises:
        EventStoreError: if the server refuses or does not answer. Begin again with the id of the
            last entry: no row is missed or repeated.
    """
    name, position = mask_url(url), start
    client = connect(url, socket_timeout_s=block_s + 5.0, retries=2)
    block_ms = round(1e3 * block_s) if follow else None
    try:
        while True:
            with reporting(name, client):
                found = client.xread({stream: position}, count=_PAGE, block=block_ms)
            entries = found[0][1] if found else ()
            for entry_id, fields in entries:
                position = entry_id.decode()
                if (row := _row(fields.get(COUNTS_FIELD.encode()), position)) is not None:
                    yield position, row
            if not entries and not follow:
                return
    finally:
        client.close()


def _row(text: bytes | None, entry_id: str) -> ZoneMinute | None:
    try:
        return ZoneMinute.decode(text or b"")
    except ValidationError:  # of another program, or of another version of this one
        log.warning("entry %s is no row of a zone; skipped", entry_id)
        return None
