"""Know a video again by its content, wherever it lies and whatever it is called."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from training.labels.samples import Sample

READ_BYTES = 65536  # at each end: containers keep their times and sizes there
DIGITS = 16  # 64 bits: no two of a million videos are alike by chance


def video_fingerprint(path: Path) -> str | None:
    """Hash size, beginning and end of a file; of a folder of frames, those of all its files.

    Returns:
        Hexadecimal digits; None if it cannot be read.
    """
    digest = hashlib.sha256()
    try:
        files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        for file in files:
            size = file.stat().st_size
            digest.update(str(size).encode())
            with file.open("rb") as content:
                digest.update(content.read(READ_BYTES))
                content.seek(max(0, size - READ_BYTES))
                digest.update(content.read(READ_BYTES))
    except OSError:
        return None
    return digest.hexdigest()[:DIGITS]


def fingerprints_of(samples: Iterable[Sample]) -> frozenset[str]:
    """Return the fingerprints of the videos of samples, without those that cannot be read."""
    found = (video_fingerprint(path) for path in {sample.path for sample in samples})
    return frozenset(one for one in found if one is not None)
