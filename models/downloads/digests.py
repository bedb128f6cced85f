"""Compare files with their SHA-256, and pin that of a first download."""

from __future__ import annotations

import hashlib
import re
from contextlib import suppress
from pathlib import Path

_DIGEST = re.compile(r"[0-9a-f]{64}\b")


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in lower case hexadecimal digits.

    Raises:
        OSError: if it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_sha256(path: Path, expected: str) -> None:
    """Compare a file with its digest.

    Args:
        path: of the file.
        expected: 64 hexadecimal digits in lower case, or the first of them.

    Raises:
        ValueError: if it is another file; the message has its digest.
        OSError: if it cannot be read.
    """
    found = sha256_of(path)
    if not expected or not found.startswith(expected):
        shown = expected if len(expected) == len(found) else f"{expected}..."
        raise ValueError(f"its SHA-256 is {found}, not {shown}")


def pinned_sha256(path: Path) -> str | None:
    """Return the digest that was pinned for a downloaded file; None if there is none."""
    try:
        pinned = _pin(path).read_text()
    except (OSError, UnicodeDecodeError):
        return None
    found = _DIGEST.match(pinned)
    return found[0] if found else None


def pin_sha256(path: Path) -> str:
    """Keep the digest of a downloaded file, for the next start to compare; return it.

    Raises:
        OSError: if the file cannot be read.
    """
    digest = sha256_of(path)
    with suppress(OSError):  # of a cache that may not be written
        _pin(path).write_text(f"{digest}  {path.name}\n")  # as sha256sum -c reads it
    return digest


def _pin(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")
