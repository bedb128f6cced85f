"""Find detector weights on disk, or download them within a time limit, or log why not.

Run as a module it is the child process that downloads: a name look-up that hangs inside the C
library cannot be interrupted, but a process can be killed.
"""

from __future__ import annotations

import http.client
import logging
import os
import re
import select
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from pathlib import Path

# The release that ultralytics 8.4.190 takes its own weights from (utils/downloads.py:584).
ASSETS_URL = "https://github.com/ultralytics/assets/releases/download/v8.4.0"
# The detectors of that release, by the same file (line 22); a name that is nearly one is a typo.
OFFICIAL_WEIGHTS = re.compile(
    r"yolo(v5[nsmlx]6?u|v8[nsmlx]|v9[tsmce]|v10[nsmblx]|11[nsmlx]|12[nsmlx]|26[nsmlx])\.pt"
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
) -> Path | None:
    """Resolve a path or an official name to weights on disk.

    Args:
        weights: a path, or the name of official weights such as "yolo11n.pt".
        directories: searched for a file or folder of that name first.
        cache_dir: where downloaded weights are stored.
        decide_s: seconds within which the server must send its first byte.
        limit_s: seconds that the whole download may take.
        base_url: where official weights are, without a slash at the end.

    Returns:
        The path, or None if official weights are not on disk and cannot be downloaded; the
        reason is logged.

    Raises:
        FileNotFoundError: if there is no such path and it is not the name of official weights.
    """
    for candidate in (Path(weights), *(folder / weights for folder in directories)):
        if candidate.exists():
            return candidate
    if not is_official(weights):
        raise FileNotFoundError(f"no detector weights at {weights}")
    cached = cache_dir / weights
    if cached.exists():
        return cached
    log.info("fetching %s from %s, %g s at most", weights, base_url, limit_s)
    reason = _fetch(f"{base_url}/{weights}", cached, decide_s=decide_s, limit_s=limit_s)
    if reason is None:
        return cached
    log.info("detector weights %s could not be fetched: %s", weights, reason)
    return None


def is_official(weights: str) -> bool:
    """Return whether this is the name of weights of the ultralytics release, not a path."""
    return OFFICIAL_WEIGHTS.fullmatch(weights) is not None


def _fetch(url: str, target: Path, *, decide_s: float, limit_s: float) -> str | None:
    """Download in a child process with a time limit; return None, or the reason of a failure."""
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
        if reason is None:
            part.replace(target)
        return reason
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
