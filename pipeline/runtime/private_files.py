"""Folders and files for their owner alone, whatever the umask: no other user sees what cameras saw.

A folder or file that exists keeps its mode, because its owner may share it on purpose.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO, Literal

FOLDER_MODE, FILE_MODE = 0o700, 0o600


def make_private_folder(path: Path) -> None:
    """Create a folder, and those above it that are missing, with mode 0700.

    Raises:
        OSError: if it cannot be created.
    """
    if path.is_dir():
        return
    if path.parent != path:
        make_private_folder(path.parent)
    try:
        path.mkdir(FOLDER_MODE)
    except FileExistsError:
        if not path.is_dir():  # else another process was faster
            raise
    else:
        path.chmod(FOLDER_MODE)  # an odd umask takes bits from the owner too


def open_private(path: Path, mode: Literal["ab", "wb"]) -> IO[bytes]:
    """Open a file for writing; create it with mode 0600, and missing folders with 0700.

    Args:
        path: of the file.
        mode: "ab" appends, "wb" replaces the content.

    Raises:
        OSError: if it cannot be opened or created.
    """
    make_private_folder(path.parent)
    create_private_file(path)
    # A link to a file that is missing counts as existing above; its target is made here.
    return open(path, mode, opener=lambda name, flags: os.open(name, flags, FILE_MODE))


def create_private_file(path: Path) -> None:
    """Create an empty file with mode 0600 unless there is one.

    Raises:
        OSError: if it cannot be created.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
    except FileExistsError:
        return
    try:
        os.fchmod(descriptor, FILE_MODE)  # an odd umask takes bits from the owner too
    finally:
        os.close(descriptor)


def close_to_others(path: Path) -> bool:
    """Take the permissions of group and others from a file or folder that this program made.

    Returns:
        Whether only its owner has access now, who is this user; False also where the file system
        keeps no permissions.
    """
    try:
        found = path.stat()
        if found.st_uid != os.geteuid():
            return False
        if found.st_mode & 0o077:
            path.chmod(found.st_mode & 0o700)
        return not path.stat().st_mode & 0o077
    except OSError:
        return False


def is_private(path: Path) -> bool:
    """Return whether only this user has access to a folder or file, root aside."""
    found = path.stat()
    return found.st_uid == os.geteuid() and not found.st_mode & 0o077
