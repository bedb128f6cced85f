"""The child process of a download: write the body of a URL into a file, continuing a cut one."""

from __future__ import annotations

import http
import http.client
import re
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

CHUNK_BYTES = 1 << 16
ANSWERED = b"answered "  # the child's one line once the server sends the file; its size follows
TRIES = 4  # in a row without a new byte
_PAUSE_S = 0.125  # before the next try; doubles with each that brings nothing
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")


class FinalError(OSError):  # in the child alone
    """What another try would not change."""


class _OnlyUpwards(urllib.request.HTTPRedirectHandler):
    """Refuse to be led from https to something that anybody on the way can change."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        if req.full_url.startswith("https:") and not newurl.startswith("https:"):
            raise FinalError(f"it redirects from https to {newurl.partition(':')[0]}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def validator_file(part: Path) -> Path:
    """Return where the server's name for the version of a part file is kept."""
    return part.with_name(f"{part.name}.etag")


def download(url: str, part: Path, *, stall_s: float, max_bytes: int, resume: bool) -> None:
    """Write the whole body into `part`.

    Args:
        url: http or https.
        part: what is in it is continued if the server still has the same version.
        stall_s: a connection without a byte for so long has failed.
        max_bytes: of the whole body.
        resume: try again where a connection was cut.

    Raises:
        OSError: if the server cannot be reached or refuses, or the body is not a file of the
            announced length.
    """
    tries = TRIES if resume else 1
    while True:
        before = _size(part)
        try:
            _download_once(url, part, stall_s, max_bytes)
            return
        except (OSError, http.client.HTTPException) as error:
            if _is_final(error):
                raise
            tries = TRIES if resume and _size(part) > before else tries - 1
            if not tries:
                raise
        time.sleep(_PAUSE_S * 2 ** (TRIES - tries))


def _is_final(error: Exception) -> bool:
    refused = isinstance(error, urllib.error.HTTPError) and error.code < 500
    return refused or isinstance(error, FinalError)


def _download_once(url: str, part: Path, stall_s: float, max_bytes: int) -> None:
    have, version = _size(part), _version(part)
    headers = {"User-Agent": "behaviour-stream", "Accept-Encoding": "identity"}
    if have and version:
        headers |= {"Range": f"bytes={have}-", "If-Range": version}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - of our tables, or a test
    opener = urllib.request.build_opener(_OnlyUpwards)
    try:
        response = opener.open(request, timeout=stall_s)
    except urllib.error.HTTPError as error:
        if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        if error.headers.get("Content-Range") == f"bytes */{have}":
            return  # it was complete, but not yet in its place
        part.unlink()
        raise OSError("the server has less than was fetched before") from error
    with response:
        start = _start(response, have)
        announced = response.headers.get("Content-Length")
        if announced is None:
            raise FinalError("the server does not state how long the file is")
        total = start + int(announced)
        if total > max_bytes:
            limit = f"{max_bytes / 1e6:.1f} MB"
            raise FinalError(f"it has {total / 1e6:.1f} MB, more than the {limit} it can have")
        _keep_version(part, response.headers)
        _write(response, part, start, total)


def _start(response: Any, have: int) -> int:
    """Return where in the file the body begins."""
    if response.headers.get_content_type() == "text/html":
        raise FinalError("the server sends a web page instead of the file (a login? a proxy?)")
    if response.status != http.HTTPStatus.PARTIAL_CONTENT:
        return 0
    found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if found is None or int(found[1]) != have:
        raise FinalError("the server continues at another place than it was asked for")
    return have


def _write(response: Any, part: Path, start: int, total: int) -> None:
    with part.open("r+b" if part.exists() else "wb") as file:
        file.truncate(start)
        file.seek(start)
        first = response.read(1)
        if start == 0 and first == b"<":
            raise FinalError("the server sends a web page instead of the file (a login? a proxy?)")
        sys.stdout.buffer.write(ANSWERED + f"{total}\n".encode())
        sys.stdout.buffer.flush()
        file.write(first)
        while chunk := response.read(CHUNK_BYTES):
            file.write(chunk)
        written = file.tell()
    if not written or written != total:
        raise OSError(f"got {written} bytes of {total}")


def _size(part: Path) -> int:
    try:
        return part.stat().st_size
    except OSError:
        return 0


def _version(part: Path) -> str:
    try:
        return validator_file(part).read_text(encoding="latin-1")
    except OSError:
        return ""


def _keep_version(part: Path, headers: Any) -> None:
    """Keep what `If-Range` takes: a strong entity tag, else the time of the last change."""
    tag = headers.get("ETag", "")
    version = tag if tag and not tag.startswith("W/") else headers.get("Last-Modified", "")
    file = validator_file(part)
    if version:
        file.write_text(version, encoding="latin-1")
    else:
        with suppress(FileNotFoundError):
            file.unlink()


def main(url: str, part: str, stall_s: str, max_bytes: str, resume: str) -> int:
    """The child process: exit code 0 when the file is complete, else the reason on stderr."""
    try:
        download(
            url,
            Path(part),
            stall_s=float(stall_s),
            max_bytes=int(max_bytes),
            resume=resume == "1",
        )
    except (OSError, http.client.HTTPException) as error:
        reason = (
            error if isinstance(error, urllib.error.HTTPError) else getattr(error, "reason", error)
        )
        sys.stderr.write(f"{url}: {reason}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
