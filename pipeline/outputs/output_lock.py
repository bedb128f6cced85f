"""A lock on each file that a run writes: two runs would write through each other."""

from __future__ import annotations

from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.printable import printable
from pipeline.runtime.file_lock import FileLock
from pipeline.runtime.private_files import create_private_file, make_private_folder


def lock_output(path: Path) -> FileLock | None:
    """Create an output file if it is missing, and lock it; its content stays.

    Returns:
        The lock; None for what is no file on a disk, such as /dev/stdout, and where the file
        system has no locks.

    Raises:
        PipelineError: if another process writes it; the message names that process.
        OSError: if it cannot be created.
    """
    make_private_folder(path.parent)
    create_private_file(path)
    if path.exists() and not path.is_file() and not path.is_dir():
        return None
    lock = FileLock(path)
    try:
        if lock.try_lock():
            return lock
    except OSError:
        lock.close()
        return None
    holder = lock.holder()
    lock.close()
    other = "another process" if holder is None else f"another run (process {holder})"
    raise PipelineError(
        f"cannot write {printable(str(path))}: {other} is writing it; "
        "wait for its end, or give this run another --output"
    )
