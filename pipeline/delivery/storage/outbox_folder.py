"""The outboxes of one output directory: that of the run, and those that killed runs left."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from pipeline.delivery.storage.outbox import Outbox
from pipeline.delivery.storage.salvage import rescue_log, salvage
from pipeline.delivery.storage.wal_log import log_of, unread_commits
from pipeline.errors import OutboxDamagedError, OutboxError
from pipeline.runtime.disk_errors import may_pass
from pipeline.runtime.file_lock import FileLock
from pipeline.runtime.private_files import close_to_others, create_private_file, make_private_folder

_SUFFIX, _LOCK = ".outbox", ".lock"

log = logging.getLogger(__name__)


@contextmanager
def open_outboxes(
    folder: Path, run_id: str | None, target: str, *, max_bytes: int, any_target: bool = False
) -> Iterator[tuple[list[Outbox], Outbox | None]]:
    """Yield the outboxes that earlier runs left, oldest first, and that of this run.

    Running processes hold a lock on their outboxes. If nothing waits in that of this run at the
    end, it is removed. An outbox of an earlier run that cannot be opened now (disk full, locked,
    permission, I/O) is logged and left where it is.

    Args:
        folder: created if missing.
        run_id: of this run; None creates no outbox.
        target: server and stream; outboxes for another one are logged and left where they are.
        max_bytes: allowance on disk, see `Outbox`.
        any_target: yield the outboxes for other targets too.

    Raises:
        OutboxError: if the folder cannot be created for a reason that does not pass by itself.
    """
    with ExitStack() as locks, ExitStack() as stack:
        locked: list[Path] = []
        _make(folder)
        stack.callback(_remove_locks, locked)  # while they are held
        adopted = (_adopt(path, locks, stack, locked, max_bytes) for path in outboxes_in(folder))
        left = [box for box in adopted if box and (any_target or _is_for(box, target))]
        own = None
        if run_id is not None:
            path = folder / f"{_file_name(run_id)}-{secrets.token_hex(3)}{_SUFFIX}"

            def prepare() -> None:
                make_private_folder(folder)
                if path not in locked:
                    _lock(path, locks, locked)

            own = stack.enter_context(
                Outbox(path, target=target, max_bytes=max_bytes, tolerant=True, prepare=prepare)
            )
        try:
            yield left, own
        finally:
            if own is not None and not own.waiting:
                own.remove()


def outboxes_in(folder: Path) -> list[Path]:
    """Return the outboxes in a folder, that of the oldest run first."""
    return sorted(folder.glob(f"*{_SUFFIX}"), key=_modified_at)


def run_of(path: Path) -> str:
    """Return the id of the run that made an outbox."""
    return path.name.removesuffix(_SUFFIX).rpartition("-")[0]


def is_in_use(path: Path) -> bool:
    """Return whether a running process holds an outbox, and delivers it by itself."""
    lock_file = path.with_suffix(_LOCK)
    if not lock_file.exists():
        return False
    with FileLock(lock_file) as lock:
        return not lock.try_lock()


def _modified_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # its run has just delivered its last events
        return 0.0


def _make(folder: Path) -> None:
    try:
        make_private_folder(folder)
    except OSError as error:
        if not may_pass(error):  # else a run starts without it: cameras are not to wait
            raise OutboxError(f"cannot keep events in {folder}: {error.strerror}") from error
    else:
        if not os.access(folder, os.W_OK | os.X_OK) and not _is_read_only(folder):
            raise OutboxError(f"cannot keep events in {folder}: permission denied")
        for file in folder.glob(f"*{_SUFFIX}*"):
            close_to_others(file)  # earlier releases made it by the umask


def _is_read_only(folder: Path) -> bool:
    return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)


def _adopt(
    path: Path, locks: ExitStack, stack: ExitStack, locked: list[Path], max_bytes: int
) -> Outbox | None:
    try:
        if not _lock(path, locks, locked):
            return None  # another run is writing to it
        if not path.exists():
            return None  # its run has just delivered its last events
        box = _open_whole(path, max_bytes)
    except (OutboxError, OSError) as error:
        log.error(
            "%s cannot be opened now (%s); it stays where it is, and the next run or "
            "`run_pipeline.py flush` delivers it",
            path,
            error,
        )
        return None
    if box is None:
        return None
    stack.enter_context(box)
    log.warning("a run that ended early left %d events in %s", box.waiting, path)
    return box


def _open_whole(path: Path, max_bytes: int) -> Outbox | None:
    """Open an outbox, or what is whole in it; None if that is nothing.

    Raises:
        OutboxError: if it cannot be opened now.
    """
    for _ in range(2):
        with ExitStack() as stack:
            try:
                box = stack.enter_context(Outbox(path, max_bytes=max_bytes))
                box.check()
            except OutboxDamagedError as error:
                stack.close()
                if not salvage(path, error):
                    return None
            else:
                _rescue_unread(box)
                stack.pop_all()
                return box
    raise OutboxError(
        f"cannot keep events in {path}: its disk returns other data than it was given"
    )


def _rescue_unread(box: Outbox) -> None:
    """Take what is whole behind the place at which the log of SQLite breaks off, and name it."""
    path = box.path
    count = unread_commits(path)
    if not count:
        return
    kept, rescued = path.with_name(f"{path.name}-wal.broken"), 0
    with suppress(OSError, OutboxError):
        create_private_file(kept)
        shutil.copyfile(log_of(path), kept)
        found = rescue_log(path, box.last_id)
        if found.events:
            box.adopt(found)
        rescued = len(found.events)
    log.error(
        "%s: its log breaks off before its end, after a power cut or because the disk is failing; "
        "of %d writes behind the break %d events are rescued; the log is kept as %s",
        path,
        count,
        rescued,
        kept.name,
    )


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


def _lock(path: Path, locks: ExitStack, locked: list[Path]) -> bool:
    if not locks.enter_context(FileLock(path.with_suffix(_LOCK))).try_lock():
        return False
    locked.append(path)
    return True


def _remove_locks(locked: list[Path]) -> None:
    """Remove the lock files of removed outboxes while we hold them; others stay."""
    for path in locked:
        if not path.exists():
            path.with_suffix(_LOCK).unlink(missing_ok=True)


def _file_name(run_id: str) -> str:
    return run_id.replace(os.sep, "_")
