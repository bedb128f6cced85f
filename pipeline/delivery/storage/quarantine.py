"""Records that are set aside instead of delivered, one JSON line each, beside the outbox."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence
from pathlib import Path

from pipeline.runtime.private_files import open_private
from pipeline.time_text import format_utc

log = logging.getLogger(__name__)


def quarantine_of(path: Path) -> Path:
    """Return the file with the records that were set aside from an outbox."""
    return path.with_name(f"{path.name}.quarantine")


def set_aside(path: Path, table: str, values: Sequence[object], reason: str) -> None:
    """Append a record to the quarantine of an outbox and log an error.

    Args:
        path: of the outbox.
        table: in which the record was found.
        values: of the record.
        reason: why it is not used.
    """
    target = quarantine_of(path)
    document = {
        "time": format_utc(time.time()),
        "reason": reason,
        "table": table,
        "record": [
            value if isinstance(value, int | float | str) else repr(value) for value in values
        ],
    }
    try:
        with open_private(target, "ab") as file:
            file.write(f"{json.dumps(document)}\n".encode())
    except OSError as error:  # the disk may be full as well
        kept = f"and cannot be kept in {target}: {error.strerror}"
    else:
        kept = f"and kept in {target}"
    log.error("%s: a record of the table %s is not delivered %s: %s", path, table, kept, reason)
