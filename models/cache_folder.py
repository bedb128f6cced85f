"""The folder of what is downloaded or converted once and loaded by every later start."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_PRIVATE = 0o700


def cache_folder() -> Path:
    """Return `~/.cache/behaviour-stream`, made for its owner alone, whatever the umask.

    Who can write to it chooses what this user's next run loads. A link to a folder elsewhere is
    left as it is, and so is a home that cannot be written: its users report that themselves.
    """
    folder = Path.home() / ".cache" / "behaviour-stream"
    with suppress(OSError):
        for path in (folder.parent, folder):
            if not path.exists():
                path.mkdir(_PRIVATE)
        found = folder.stat()
        if found.st_uid == os.geteuid() and found.st_mode & 0o077 and not folder.is_symlink():
            folder.chmod(_PRIVATE)  # made by an earlier release, or by matplotlib
    return folder
