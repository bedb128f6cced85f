"""Nobody else chooses what a run loads from its cache."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.cache_folder import cache_folder


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("HOME", str(tmp_path))
    before = os.umask(0)
    yield tmp_path
    os.umask(before)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_it_is_for_its_owner_alone(home: Path) -> None:
    assert cache_folder() == home / ".cache" / "behaviour-stream"
    assert mode_of(cache_folder()) == mode_of(cache_folder().parent) == 0o700


def test_that_of_an_earlier_release_is_closed(home: Path) -> None:
    (home / ".cache" / "behaviour-stream" / "openvino").mkdir(parents=True)
    assert mode_of(cache_folder()) == 0o700
    assert mode_of(home / ".cache") == 0o777  # of other programs too


def test_a_link_to_a_shared_folder_is_left_as_it_is(home: Path) -> None:
    (home / "shared").mkdir()
    (home / ".cache").mkdir()
    (home / ".cache" / "behaviour-stream").symlink_to(home / "shared")
    assert mode_of(cache_folder()) == 0o777


def test_a_home_that_cannot_be_written_is_no_error(home: Path) -> None:
    (home / ".cache").touch()
    assert not cache_folder().exists()
