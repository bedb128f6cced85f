"""File locks: shared or exclusive, without waiting or with a timeout, released by the kernel."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from pipeline.runtime.file_lock import FileLock
from tests.conftest import REPOSITORY


def test_an_exclusive_lock_excludes_every_other(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with FileLock(path) as first, FileLock(path) as second:
        assert first.try_lock()
        assert not second.try_lock()
        assert not second.try_lock(shared=True)
        first.unlock()
        assert second.try_lock()


def test_shared_locks_exclude_an_exclusive_one_only(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with FileLock(path) as first, FileLock(path) as second, FileLock(path) as third:
        assert first.try_lock(shared=True)
        assert second.try_lock(shared=True)
        assert not third.try_lock()


def test_the_only_holder_converts_its_shared_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with FileLock(path) as first, FileLock(path) as second:
        assert first.try_lock(shared=True)
        assert first.try_lock()
        assert not second.try_lock(shared=True)


def test_leaving_the_block_releases_the_lock_and_keeps_the_file(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with FileLock(path) as first:
        assert first.try_lock()
    assert path.exists()
    with FileLock(path) as second:
        assert second.try_lock()


def test_a_lock_that_is_held_too_long_is_not_acquired(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with FileLock(path) as first, FileLock(path) as second:
        assert first.try_lock()
        began_at = time.monotonic()
        assert not second.lock(timeout_s=0.1)
        assert time.monotonic() - began_at >= 0.1


def test_a_wait_ends_when_the_lock_is_released(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with FileLock(path) as first, FileLock(path) as second:
        assert first.try_lock()
        timer = threading.Timer(0.05, first.unlock)
        timer.start()
        assert second.lock(timeout_s=60)
        timer.join()


def test_the_kernel_releases_the_lock_of_a_killed_process(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from pipeline.runtime.file_lock import FileLock\n"
        "lock = FileLock(Path(sys.argv[1]))\n"
        "print(lock.try_lock(), flush=True)\n"
        "sys.stdin.read()\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program, str(path)],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with child, FileLock(path) as lock:
        assert child.stdout is not None
        assert child.stdout.readline() == "True\n"
        assert not lock.try_lock()
        child.kill()
        child.wait()
        assert lock.try_lock()


def test_the_holder_is_named(tmp_path: Path) -> None:
    with FileLock(tmp_path / "lock") as lock, FileLock(tmp_path / "lock") as other:
        assert other.holder() is None
        assert lock.try_lock()
        assert other.holder() == os.getpid()
