"""Fetch the file of a public checkpoint once, and verify it before every use."""

from __future__ import annotations

import logging
from pathlib import Path

from models.downloads.digests import check_sha256, pin_sha256, pinned_sha256
from models.downloads.fetch import FetchLimits, fetch
from models.public.entry import PublicCheckpoint

_DECIDE_S = 30.0
_STALL_S = 60.0
_LIMIT_S = 4 * 3600.0  # half a gigabyte over a line of 300 kbit/s

log = logging.getLogger(__name__)


class PublicFileError(Exception):
    """The file of a public checkpoint cannot be fetched or is another one; has the remedy."""


def fetch_public(checkpoint: PublicCheckpoint, cache_dir: Path | None = None) -> Path:
    """Return the file of a checkpoint, from the cache or from its publisher.

    A file is used only if it has the published digits of its SHA-256. Where none are published,
    the first file decides: what is found later has the same.

    Args:
        checkpoint: which one.
        cache_dir: None: `~/.cache/behaviour-stream`.

    Raises:
        PublicFileError: if it cannot be fetched, or what is in the cache is another file, which
            is left as it is.
    """
    file = checkpoint.file(cache_dir)
    if file.is_file():
        _verify(checkpoint, file)
        return file
    log.info(
        "fetching %s, %d MB or more, from %s (code and weights: %s; %s: %s)",
        checkpoint.name,
        checkpoint.least_mb,
        checkpoint.url,
        checkpoint.licence,
        checkpoint.data,
        checkpoint.data_terms,
    )
    limits = FetchLimits(
        decide_s=_DECIDE_S,
        limit_s=_LIMIT_S,
        stall_s=_STALL_S,
        max_bytes=checkpoint.most_bytes,
    )
    expected = checkpoint.sha256 or pinned_sha256(file)
    reason = fetch(checkpoint.url, file, expected, limits, resume=True, progress=_report)
    if reason is not None:
        reason = reason.removeprefix(f"{checkpoint.url}: ")
        raise PublicFileError(
            f"{checkpoint.name} could not be fetched: {reason}. On a machine without internet save "
            f"{checkpoint.url} as {file}"
        )
    _verify(checkpoint, file)
    log.info("%s is in %s, verified: %s", checkpoint.name, file, checkpoint.verification)
    return file


def _verify(checkpoint: PublicCheckpoint, file: Path) -> None:
    expected = checkpoint.sha256 or pinned_sha256(file)
    try:
        if expected is None:
            pin_sha256(file)
        else:
            check_sha256(file, expected)
    except OSError as error:
        raise PublicFileError(f"{file}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise PublicFileError(
            f"{file}: {error}: it is damaged or not {checkpoint.name}, and is left as it is. "
            "Delete it to fetch it again, or set recognizer.weights to a path to use it anyway"
        ) from error


def _report(done: int, total: int) -> None:
    log.info("%.0f of %.0f MB", done / 1e6, total / 1e6)
