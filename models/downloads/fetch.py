"""Download a file in a child process, `models.downloads.transfer`, and put it in its place.

A name look-up that hangs inside the C library cannot be interrupted, but a process can be killed.
"""

from __future__ import annotations

import fcntl
import logging
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from models.downloads.digests import check_sha256
from models.downloads.transfer import ANSWERED, validator_file

Progress = Callable[[int, int], None]  # bytes that are here, and of the whole file

log = logging.getLogger(__name__)

_PROGRESS_S = 5.0  # between two reports
_LOCK_S = 0.2  # between two looks at a download of another process
_REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchLimits:
    """What a download may cost."""

    decide_s: float  # until the first byte
    limit_s: float  # for everything
    stall_s: float | None = None  # without a byte; None: limit_s
    max_bytes: int = 1 << 30


def fetch(
    url: str,
    target: Path,
    sha256: str | None,
    limits: FetchLimits,
    *,
    resume: bool = False,
    progress: Progress | None = None,
) -> str | None:
    """Download a file within its limits, check it, and only then put it in its place.

    Proxies are taken from the usual environment variables, as everywhere in Python.

    Args:
        url: http or https.
        target: replaced in one step; its folder is made.
        sha256: the digest that it must have, or the first digits of it; None: any.
        limits: in time and bytes.
        resume: keep what has arrived in `TARGET.part` when a download ends early, and continue
            there; two processes that want the same file then take turns.
        progress: called every few seconds.

    Returns:
        None, or the reason why the file is not there.
    """
    deadline = time.monotonic() + limits.limit_s
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            held: tuple[int, ...] = ()
            if resume:
                part = target.absolute().with_name(f"{target.name}.part")
                lock = stack.enter_context(_only_one(part, target, deadline))
                if lock is None:
                    return None  # another process has fetched it meanwhile
                held = (lock.fileno(),)
            else:  # one file per process: two do not write into each other's
                part = target.absolute().with_name(f"{target.name}.{os.getpid()}.part")
                stack.callback(_remove, part)
            reason = _transfer(url, part, limits, deadline, held=held, progress=progress)
            return _kept(part, reason) if reason else _place(part, target, sha256)
    except OSError as error:
        return str(error)


def _place(part: Path, target: Path, sha256: str | None) -> str | None:
    try:
        if sha256 is not None:
            check_sha256(part, sha256)
    except ValueError as error:
        _remove(part)
        return str(error)
    part.replace(target)
    _remove(part)
    return None


def _kept(part: Path, reason: str) -> str:
    """Append what of a download that ended early the next one starts with."""
    try:
        size = part.stat().st_size if validator_file(part).exists() else 0
    except OSError:
        return reason
    return f"{reason}; {size / 1e6:.1f} MB are kept, and the next try continues" if size else reason


def _remove(part: Path) -> None:
    for path in (part, validator_file(part)):
        path.unlink(missing_ok=True)


@contextmanager
def _only_one(part: Path, target: Path, deadline: float) -> Iterator[IO[bytes] | None]:
    """Lock a part file; yields None if the process that had it has put the file in its place.

    Raises:
        TimeoutError: if another process still fetches the file at the deadline.
    """
    before = _identity(target)
    with ExitStack() as stack:
        while True:
            file = stack.enter_context(part.open("ab"))
            _lock(file, deadline)
            if _identity(part) == _identity_of(os.fstat(file.fileno())):
                break
        yield file if _identity(target) == before else None
        if part.exists() and part.stat().st_size == 0:
            _remove(part)


def _lock(file: IO[bytes], deadline: float) -> None:
    reported = False
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            pass
        except OSError:  # a network share without locks
            return
        if time.monotonic() > deadline:
            raise TimeoutError("another process is still fetching it")
        if not reported:
            log.info("%s: another process is writing it; waiting for that one", file.name)
            reported = True
        time.sleep(_LOCK_S)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        return _identity_of(path.stat())
    except OSError:
        return None


def _identity_of(state: os.stat_result) -> tuple[int, int]:
    return state.st_dev, state.st_ino


def _transfer(
    url: str,
    part: Path,
    limits: FetchLimits,
    deadline: float,
    *,
    held: tuple[int, ...],
    progress: Progress | None,
) -> str | None:
    """Run the child process; return None if the whole file is in `part`, else the reason.

    It inherits the lock: if this process is killed and it is not, no other writes into `part`.
    """
    stall_s = limits.limit_s if limits.stall_s is None else limits.stall_s
    arguments = [url, str(part), str(stall_s), str(limits.max_bytes), str(len(held))]
    child = subprocess.Popen(  # noqa: S603 - our own module, no shell
        [sys.executable, "-m", "models.downloads.transfer", *arguments],
        cwd=_REPOSITORY,
        pass_fds=held,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        return _supervise(child, part, limits.decide_s, deadline, progress)
    finally:
        child.kill()
        child.communicate()


def _supervise(
    child: subprocess.Popen[bytes],
    part: Path,
    decide_s: float,
    deadline: float,
    progress: Progress | None,
) -> str | None:
    """Wait for the child's first line and its end."""
    assert child.stdout is not None
    answered, _, _ = select.select([child.stdout], [], [], decide_s)  # its end counts too
    if not answered:
        return f"no answer within {decide_s:g} s"
    line = child.stdout.readline()
    total = int(line.removeprefix(ANSWERED)) if line.startswith(ANSWERED) else 0
    while True:
        left_s = deadline - time.monotonic()
        try:
            _, error = child.communicate(timeout=max(0.0, min(left_s, _PROGRESS_S)))
        except subprocess.TimeoutExpired:
            if left_s <= _PROGRESS_S and time.monotonic() >= deadline:
                return "the download took too long"
            if progress is not None and total:
                progress(part.stat().st_size if part.exists() else 0, total)
            continue
        if child.returncode == 0:
            return None
        return error.decode(errors="replace").strip().rpartition("\n")[2] or "it was stopped"
