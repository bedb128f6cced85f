"""Find detector weights on disk, or download them within a time limit, or log why not."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from pathlib import Path

from models.detectors.official_weights import ASSETS_URL, expected_sha256, is_official
from models.downloads.digests import check_sha256, pin_sha256
from models.downloads.fetch import FetchLimits, fetch

log = logging.getLogger(__name__)


def find_or_fetch_weights(
    weights: str,
    *,
    directories: Iterable[Path],
    cache_dir: Path,
    decide_s: float = 5.0,
    limit_s: float = 120.0,
    base_url: str = ASSETS_URL,
    sha256: str | None = None,
    is_known: Callable[[str], bool] = is_official,
) -> Path | None:
    """Resolve a path or an official name to weights on disk.

    Official weights have the SHA-256 of the release. Where that is not known, the first download
    decides it: what a later start finds in the cache has the same, or is downloaded again.

    Args:
        weights: a path, or the name of official weights such as "yolo11n.pt".
        directories: searched for a file or folder of that name first.
        cache_dir: where downloaded weights are stored.
        decide_s: seconds within which the server must send its first byte.
        limit_s: seconds that the whole download may take.
        base_url: where official weights are, without a slash at the end.
        sha256: digest that the file must have, whichever it is; None: see above.
        is_known: whether a text is the name of official weights of the wanted kind.

    Returns:
        The path, or None if official weights are not on disk and cannot be downloaded; the
        reason is logged.

    Raises:
        FileNotFoundError: if there is no such path and it is not the name of official weights.
        ValueError: if a file at a path does not have the digest, or is a folder.
    """
    for candidate in (Path(weights), *(folder / weights for folder in directories)):
        if candidate.exists():
            if sha256 is not None:
                _check_own(candidate, sha256)
            return candidate
    if not is_known(weights):
        raise FileNotFoundError(f"no detector weights at {weights}")
    cached, expected = cache_dir / weights, sha256 or expected_sha256(weights, cache_dir)
    if cached.exists() and _is_intact(cached, expected):
        return cached
    log.info("fetching %s from %s, %g s at most", weights, base_url, limit_s)
    url = f"{base_url}/{weights}"
    reason = fetch(url, cached, expected, FetchLimits(decide_s=decide_s, limit_s=limit_s))
    if reason is not None:
        log.info("weights %s could not be fetched: %s", weights, reason)
        return None
    if expected is None:
        log.info("the SHA-256 of %s is now pinned: %s", cached, pin_sha256(cached))
    return cached


def _check_own(weights: Path, sha256: str) -> None:
    if weights.is_dir():
        raise ValueError(f"{weights} is a folder, and a SHA-256 is that of a file")
    try:
        check_sha256(weights, sha256)
    except ValueError as error:
        raise ValueError(f"{weights}: {error}") from error


def _is_intact(cached: Path, expected: str | None) -> bool:
    try:
        if expected is None:  # of a version of ours that pinned nothing
            pin_sha256(cached)
        else:
            check_sha256(cached, expected)
    except (OSError, ValueError) as error:
        log.warning("%s is damaged or not the official file: %s", cached, error)
        return False
    return True
