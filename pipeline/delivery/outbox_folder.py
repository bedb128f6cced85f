"""The outboxes of one output directory: that of the run, and those that killed runs left."""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pipeline.delivery.outbox import Outbox, files_of
from pipeline.errors import OutboxError
from pipeline.events import EventError
from pipeline.runtime.file_lock import FileLock
from pipeline.runtime.private_files import close_to_others, make_private_folder

_SUFFIX = ".outbox"

log = logging.getLogger(__name__)


@contextmanager
def open_outboxes(
    folder: Path, run_id: str | None, target: str, *, max_bytes: int, any_target: bool = False
) -> Iterator[tuple[list[Outbox], Outbox | None]]:
    """Yield the outboxes that earlier runs left, oldest first, and that of this run.

    Actions that a killed run left open are ended in its outbox. Running processes hold a lock on
    their outboxes. If nothing waits in that of this run at the end, it is removed.

    Args:
        folder: created if missing.
        run_id: of this run; None creates no outbox.
        target: server and stream; outboxes for another one are logged and left where they are.
        max_bytes: allowance on disk, see `Outbox`.
        any_target: yield the outboxes for other targets too.

    Raises:
        OutboxError: if the folder or the outbox of this run cannot be created.
    """
    with ExitStack() as stack:
        locked: list[Path] = []
        try:
            make_private_folder(folder)
            for file in folder.glob(f"*{_SUFFIX}*"):
                close_to_others(file)  # earlier releases made it by the umask
            found = sorted(folder.glob(f"*{_SUFFIX}"), key=lambda path: path.stat().st_mtime)
            adopted = (_adopt(path, stack, locked, max_bytes) for path in found)
            left = [box for box in adopted if box and (any_target or _is_for(box, target))]
            own = None
            if run_id is not None:
                path = folder / f"{_file_name(run_id)}-{secrets.token_hex(3)}{_SUFFIX}"
                _lock(path, stack, locked)
                own = stack.enter_context(Outbox(path, target=target, max_bytes=max_bytes))
        except OSError as error:
            raise OutboxError(f"cannot keep events in {folder}: {error}") from error
        stack.callback(_remove_locks, locked)  # while they are held
        try:
            yield left, own
        finally:
            if own is not None and not own.waiting:
                own.remove()


def _adopt(path: Path, stack: ExitStack, locked: list[Path], max_bytes: int) -> Outbox | None:
    if not _lock(path, stack, locked):
        return None  # another run is writing to it
    if not path.exists():
        return None  # its run has just delivered its last events
    ended = 0
    try:
        box = stack.enter_context(Outbox(path, max_bytes=max_bytes))
        ended = box.interrupt()
    except EventError as error:  # the events in it are still delivered
        log.warning("%s: the open actions in it cannot be ended: %s", path, error)
    except OutboxError as error:
        # Not deleted: the sqlite3 program may still read parts of it.
        for file in files_of(path):
            if file.exists():
                file.rename(file.with_name(f"{file.name}.damaged"))
        log.error("%s cannot be read (%s); it is kept as %s.damaged", path, error, path.name)
        return None
    log.warning(
        "a run that ended early left %d events in %s%s",
        box.waiting,
        path,
        f"; {ended} of them end open actions" if ended else "",
    )
    return box


def _is_for(box: Outbox, target: str) -> bool:
    if box.target != target:
        log.warning(
            "%s has %d events for %s, not for %s; `run_pipeline.py flush` delivers them",
            box.path,
            box.waiting,
            box.target,
            target,
        )
    return box.target == target


def _lock(path: Path, stack: ExitStack, locked: list[Path]) -> bool:
    if not stack.enter_context(FileLock(path.with_suffix(".lock"))).try_lock():
        return False
    locked.append(path)
    return True


def _remove_locks(locked: list[Path]) -> None:
    """Remove the lock files of removed outboxes while we hold them; others stay."""
    for path in locked:
        if not path.exists():
            path.with_suffix(".lock").unlink(missing_ok=True)


def _file_name(run_id: str) -> str:
    return run_id.replace(os.sep, "_")
