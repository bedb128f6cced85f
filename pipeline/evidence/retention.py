"""Delete evidence that is too old or too large: the oldest first, that of alarms last."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pipeline.evidence.files import OURS
from pipeline.evidence.health import EvidenceHealth

INTERVAL_S = 60.0
# An event is published after its file is written; Redis may be away for a moment.
_YOUNGEST_S = 120.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class KeptFor:
    """How long evidence is kept."""

    max_age_s: float
    max_bytes: int


@dataclass(frozen=True, slots=True)
class _Kept:
    path: Path
    is_alarm: bool
    modified_at: float  # Unix seconds
    size_bytes: int


def delete_old(
    folder: Path, limits: KeptFor, now: Callable[[], float] = time.time
) -> tuple[int, int]:
    """Delete what is beyond the limits; files that this program did not name stay.

    What is younger than two minutes stays too: the event that names it may not be published yet.

    Args:
        folder: of the evidence.
        limits: age and size.
        now: Unix seconds.

    Returns:
        Number of files that were deleted, and bytes that remain.

    Raises:
        OSError: if the folder cannot be read, or after all, if a file could not be deleted.
    """
    kept = sorted(_find(folder), key=lambda one: (one.is_alarm, one.modified_at, one.path))
    total, at, deleted = sum(one.size_bytes for one in kept), now(), 0
    failure: OSError | None = None
    for one in kept:
        age_s = at - one.modified_at
        is_beyond = age_s > limits.max_age_s or total > limits.max_bytes
        # One of the future is not young: the clock was ahead.
        if not is_beyond or abs(age_s) <= _YOUNGEST_S:
            continue
        try:
            one.path.unlink(missing_ok=True)  # another run may have been faster
        except OSError as error:  # the others must not fill the disk because of it
            failure = failure or error
            continue
        total -= one.size_bytes
        deleted += 1
        with suppress(OSError):  # not empty
            one.path.parent.rmdir()
    if failure is not None:
        raise failure
    return deleted, total


def keep_within_limits(
    folder: Path, limits: KeptFor, health: EvidenceHealth, ended: threading.Event
) -> None:
    """Delete old evidence now and then, until the run has ended.

    Args:
        folder: of the evidence.
        limits: age and size.
        health: gets what went wrong.
        ended: set at its end.
    """
    while True:
        try:
            deleted, _ = delete_old(folder, limits)
        except OSError as error:
            health.failed("retention", "disk", f"old evidence cannot be deleted: {error.strerror}")
        else:
            health.worked("retention")
            if deleted:
                log.info("evidence: %d old files deleted", deleted)
        if ended.wait(INTERVAL_S):
            return


def _find(folder: Path) -> Iterator[_Kept]:
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if found := OURS.search(name):
                path = Path(root, name)
                with suppress(FileNotFoundError):
                    state = path.stat()
                    is_alarm = found["kind"] == "alarm"
                    yield _Kept(path, is_alarm, state.st_mtime, state.st_size)
