"""Snapshots that events name, read without leaving the evidence folder.

The path comes from the stream, where any program may write.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from stat import S_ISREG

from pipeline.errors import PipelineError
from pipeline.events import AlarmEvent, Event, EvidenceEvent
from pipeline.printable import printable

MAX_SNAPSHOT_BYTES = 8_000_000  # a JPEG of 4K has about 2 MB
_JPEG = b"\xff\xd8\xff"
_LEAVES = "the path leaves the evidence folder"

log = logging.getLogger(__name__)


def snapshot_of(event: Event, folder: Path | None) -> bytes | None:
    """Return the JPEG that an event names; None if it names none or there is no folder.

    One that cannot be read is logged, and is None: a message without an image is better than none.

    Args:
        event: an alarm, or evidence whose medium is a snapshot; others name none.
        folder: of the evidence, in which the path must stay.
    """
    path = None
    if isinstance(event, AlarmEvent):
        path = event.snapshot
    elif isinstance(event, EvidenceEvent) and event.media == "snapshot":
        path = event.path
    if path is None or folder is None:
        return None
    try:
        return _read(folder, path)
    except (OSError, ValueError, RuntimeError, PipelineError) as error:  # RuntimeError: a loop
        reason = error.strerror if isinstance(error, OSError) else str(error)
        log.warning(
            "event %s: no snapshot %s: %s",
            printable(event.event_id),
            printable(path, 200),
            printable(str(reason), 200),
        )
        return None


def _read(folder: Path, relative: str) -> bytes:
    inside = folder.resolve()
    path = (inside / relative).resolve(strict=True)  # links, too, must not lead out
    if not path.is_relative_to(inside):
        raise PipelineError(_LEAVES)
    # Without O_NONBLOCK a pipe in its place would be waited for.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        # A folder on the way may have become a link since.
        if not Path(f"/proc/self/fd/{descriptor}").readlink().is_relative_to(inside):
            raise PipelineError(_LEAVES)
        if not S_ISREG(os.fstat(descriptor).st_mode):
            raise PipelineError("it is no file")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            content = file.read(MAX_SNAPSHOT_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(content) > MAX_SNAPSHOT_BYTES:
        raise PipelineError(f"it has more than {MAX_SNAPSHOT_BYTES} bytes")
    if not content.startswith(_JPEG):
        raise PipelineError("it is no JPEG")
    return content
