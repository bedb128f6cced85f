"""Keep a folder of observations small: nothing older than an age, nothing beyond a size."""

from __future__ import annotations

import logging
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.observations.file_names import parse_name

TEMPORARY = ".writing"  # suffix of a file that is not complete
_ABANDONED_S = 3600.0  # a file is never written for so long: its process was killed

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ObservationLimits:
    """How long and how much is kept, and how often it is written."""

    flush_s: float  # seconds; a killed process loses no more
    max_age_s: float  # since a file was written
    max_bytes: int  # of all files in the folder


@dataclass(frozen=True, slots=True)
class _Kept:
    path: Path
    written_at: float  # Unix seconds
    size: int  # bytes


def remove_excess(folder: Path, limits: ObservationLimits, now: float) -> int:
    """Delete the oldest files until age and size are within their limits.

    Other files than those of observations stay. That a file vanishes meanwhile, because another
    run works in the folder, is no error.

    Args:
        folder: of the files.
        limits: of age and size.
        now: Unix seconds.

    Returns:
        How many files of observations were deleted.

    Raises:
        OSError: if the folder cannot be listed, or a file not be deleted.
    """
    kept = sorted(_files(folder, now), key=lambda one: (one.written_at, one.path))
    total = sum(one.size for one in kept)
    removed = 0
    for one in kept:
        if total <= limits.max_bytes and now - one.written_at <= limits.max_age_s:
            break
        one.path.unlink(missing_ok=True)
        total -= one.size
        removed += 1
    return removed


def _files(folder: Path, now: float) -> Iterator[_Kept]:
    """Yield the files of observations; delete what killed processes have left half written."""
    for path in folder.iterdir():
        whole = path.with_name(path.name.removesuffix(TEMPORARY).removeprefix("."))
        if parse_name(whole) is None:
            continue
        try:
            found = path.lstat()
        except FileNotFoundError:
            continue
        if not stat.S_ISREG(found.st_mode):
            continue
        if path.name.endswith(TEMPORARY) and now - found.st_mtime > _ABANDONED_S:
            path.unlink(missing_ok=True)
        else:
            yield _Kept(path, found.st_mtime, found.st_size)
