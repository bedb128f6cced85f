"""Find detector weights on disk, or download them within a time limit, or log why not.

Run as a module it is the child process that downloads: a name look-up that hangs inside the C
library cannot be interrupted, but a process can be killed.
"""

from __future__ import annotations

import http.client
import logging
import os
import select
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from pathlib import Path

from models.detectors.official_weights import (
    ASSETS_URL,
    check_sha256,
    expected_sha256,
    is_official,
    pin_sha256,
)

CHUNK_BYTES = 1 << 16
ANSWERED = b"answered\n"  # the child's one line once the server sends the file

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
    reason = fetch_file(url, cached, expected, decide_s=decide_s, limit_s=limit_s)
    if reason is not None:
        log.info("weights %s could not be fetched: %s", weights, reason)
        return None
    if expected is None:
        log.info("the SHA-256 of %s is now pinned: %s", cached, pin_sha256(weights, cache_dir))
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
            pin_sha256(cached.name, cached.parent)
        else:
            check_sha256(cached, expected)
    except (OSError, ValueError) as error:
        log.warning("%s is damaged or not the official file: %s", cached, error)
        return False
    return True


def fetch_file(
    url: str, target: Path, sha256: str | None, *, decide_s: float, limit_s: float
) -> str | None:
    """Download a file in a child process with a time limit.

    Args:
        url: of the file.
        target: what it becomes once it is complete and verified.
        sha256: digest that it must have; None: any.
        decide_s: seconds within which the server must send its first byte.
        limit_s: seconds that the whole download may take.

    Returns:
        None, or the reason of a failure.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    # One file per process: two runs that fetch at the same time do not write into each other's.
    part = target.absolute().with_name(f"{target.name}.{os.getpid()}.part")
    started = time.monotonic()
    command = [
        sys.executable,
        "-m",
        "models.detectors.weights_download",
        url,
        str(part),
        str(limit_s),
    ]
    repository = Path(__file__).resolve().parents[2]
    child = subprocess.Popen(  # noqa: S603 - our own module, no shell
        command,
        cwd=repository,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        reason = _supervise(child, decide_s, started + limit_s)
        if reason is not None:
            return reason
        try:
            if sha256 is not None:
                check_sha256(part, sha256)
            part.replace(target)
        except (OSError, ValueError) as error:
            return str(error)
        return None
    finally:
        child.kill()
        child.communicate()
        part.unlink(missing_ok=True)


def _supervise(child: subprocess.Popen[bytes], decide_s: float, deadline: float) -> str | None:
    """Wait for the child's first line and its end; return None if it has the whole file."""
    assert child.stdout is not None
    answered, _, _ = select.select([child.stdout], [], [], decide_s)  # its end counts too
    if not answered:
        return f"no answer within {decide_s:g} s"
    try:
        _, error = child.communicate(timeout=max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return "the download took too long"
    if child.returncode == 0:
        return None
    return error.decode(errors="replace").strip().rpartition("\n")[2] or "it was stopped"


def _download(url: str, part: Path, limit_s: float) -> None:
    """Write the whole body into `part`.

    Raises:
        OSError: if the server cannot be reached or refuses, or the body is not of the announced
            length.
    """
    # The scheme is ours: ASSETS_URL, or the loopback server of a test.
    with urllib.request.urlopen(url, timeout=limit_s) as response, part.open("wb") as file:  # noqa: S310
        announced = response.headers.get("Content-Length")
        first = response.read(1)
        sys.stdout.buffer.write(ANSWERED)
        sys.stdout.buffer.flush()
        file.write(first)
        while chunk := response.read(CHUNK_BYTES):
            file.write(chunk)
        written = file.tell()
    if not written or announced is None or written != int(announced):
        raise OSError(f"got {written} bytes of {announced or 'an unknown number'}")


def main(url: str, part: str, limit_s: str) -> int:
    """The child process: exit code 0 when the file is complete, else the reason on stderr."""
    try:
        _download(url, Path(part), float(limit_s))
    except (OSError, urllib.error.URLError, http.client.HTTPException) as error:
        sys.stderr.write(f"{url}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
