"""What is made is for its owner alone, whatever the umask; what exists keeps its mode."""

from __future__ import annotations

import os
import re
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.runtime.private_files import (
    close_to_others,
    create_private_file,
    is_private,
    make_private_folder,
    open_private,
)
from tests.conftest import REPOSITORY

MASKS = [0o000, 0o022, 0o077, 0o277, 0o777]


@pytest.fixture(params=MASKS, ids=oct)
def mask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_is_made_is_private(mask: int, tmp_path: Path) -> None:
    with open_private(tmp_path / "a" / "b" / "file", "wb") as file:
        file.write(b"seen")
    make_private_folder(tmp_path / "c" / "d")
    create_private_file(tmp_path / "c" / "empty")
    for path in tmp_path.rglob("*"):
        assert mode_of(path) == (0o700 if path.is_dir() else 0o600), path
    assert (tmp_path / "a" / "b" / "file").read_bytes() == b"seen"


def test_what_exists_keeps_its_mode(mask: int, tmp_path: Path) -> None:
    folder, file = tmp_path / "shared", tmp_path / "shared" / "file"
    folder.mkdir()
    folder.chmod(0o2775)
    file.write_bytes(b"old")
    file.chmod(0o664)
    make_private_folder(folder)
    create_private_file(file)
    with open_private(file, "ab") as appended:
        appended.write(b" new")
    assert file.read_bytes() == b"old new"
    with open_private(file, "wb"):
        pass
    assert file.read_bytes() == b""
    assert (mode_of(folder), mode_of(file)) == (0o2775, 0o664)


def test_a_link_to_nothing_is_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "file")
    with open_private(tmp_path / "link", "wb"):
        pass
    assert mode_of(tmp_path / "file") & 0o077 == 0


def test_a_file_in_the_place_of_a_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        make_private_folder(tmp_path / "file")
    with pytest.raises(OSError, match="file"):
        make_private_folder(tmp_path / "file" / "inside")


def test_two_may_make_the_same_folder(tmp_path: Path) -> None:
    together = threading.Barrier(8, timeout=60)
    failed: list[OSError] = []

    def make() -> None:
        together.wait()
        try:
            make_private_folder(tmp_path / "a" / "b" / "c" / "d")
        except OSError as error:
            failed.append(error)

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_what_an_earlier_release_made_is_closed(tmp_path: Path) -> None:
    folder = tmp_path / "outbox"
    folder.mkdir()
    folder.chmod(0o777)
    assert not is_private(folder)
    assert close_to_others(folder)
    assert is_private(folder)
    assert not close_to_others(tmp_path / "missing")


def test_what_belongs_to_another_user_is_not_private(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o777)
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    assert not is_private(tmp_path)
    assert not close_to_others(tmp_path)
    assert mode_of(tmp_path) == 0o777


# What makes a file or folder by the umask. A file that is about to be written, such as by SQLite,
# FFmpeg or shutil, is made with create_private_file before.
BY_THE_UMASK = re.compile(
    r"""\.mkdir\(|\.touch\(|\.write_text\(|\.write_bytes\(|makedirs\(|O_CREAT"""
    r"""|open\([^()\n]*["'](?:[wax]b?\+?|rb?\+)["']|copyfile\(|copy2?\(path|av\.open\([^)]*"w\""""
    r"""|sqlite3\.connect\("""
)
MAKES_PRIVATE = re.compile(r"create_private_file\(|open_private\(")
EXCEPT = {
    "pipeline/runtime/private_files.py",
    "pipeline/runtime/file_lock.py",
    "pipeline/config/document.py",  # a developer's tool
    "pipeline/sources/stream_head.py",  # in memory
}


def test_nothing_else_in_the_pipeline_makes_files_by_the_umask() -> None:
    offenders = []
    for path in sorted((REPOSITORY / "pipeline").rglob("*.py")):
        name = path.relative_to(REPOSITORY).as_posix()
        lines = path.read_text().splitlines()
        for number, line in enumerate(lines):
            before = "\n".join(lines[max(0, number - 3) : number + 1])
            if BY_THE_UMASK.search(line) and not MAKES_PRIVATE.search(before):
                offenders.append(f"{name}:{number + 1}: {line.strip()}")
    assert [one for one in offenders if one.partition(":")[0] not in EXCEPT] == []
