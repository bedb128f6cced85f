"""Download a file in a child process, which is this module.

A name look-up that hangs inside the C library cannot be interrupted, but a process can be killed.
"""

from __future__ import annotations

import http.client
import os
import select
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from models.downloads.digests import check_sha256

CHUNK_BYTES = 1 << 16
ANSWERED = b"answered\n"  # the child's one line once the server sends the file


def fetch(
    url: str, target: Path, sha256: str | None, *, decide_s: float, limit_s: float
) -> str | None:
    """Download in a child process with a time limit; return None, or the reason of a failure."""
    target.parent.mkdir(parents=True, exist_ok=True)
    # One file per process: two runs that fetch at the same time do not write into each other's.
    part = target.absolute().with_name(f"{target.name}.{os.getpid()}.part")
    started = time.monotonic()
    command = [
        sys.executable,
        "-m",
        "models.downloads.fetch",
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
