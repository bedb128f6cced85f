"""Old evidence is deleted, the oldest first, that of alarms last."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.evidence.retention import KeptFor, delete_old

NOW = 1_767_225_600.0
DAY_S = 86_400.0


def keep(folder: Path, kind: str, number: int, age_s: float, size: int = 100) -> Path:
    path = folder / "gate" / f"1-{kind}-fight-{number:012x}.jpg"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"x" * size)
    os.utime(path, (NOW - age_s, NOW - age_s))
    return path


def test_the_oldest_actions_go_first_and_alarms_last(tmp_path: Path) -> None:
    files = {
        (kind, age): keep(tmp_path, kind, age, 1000.0 * age)
        for kind in ("alarm", "action")
        for age in (1, 2, 3)
    }
    limits = KeptFor(DAY_S, 350)
    assert delete_old(tmp_path, limits, lambda: NOW) == (3, 300)
    assert {key for key, path in files.items() if path.exists()} == {
        ("alarm", 1), ("alarm", 2), ("alarm", 3),
    }  # fmt: skip
    assert delete_old(tmp_path, KeptFor(DAY_S, 150), lambda: NOW) == (2, 100)
    assert files["alarm", 1].exists()


def test_what_is_too_old_goes_whatever_its_size(tmp_path: Path) -> None:
    old, young = keep(tmp_path, "alarm", 1, 2 * DAY_S), keep(tmp_path, "alarm", 2, 0.5 * DAY_S)
    delete_old(tmp_path, KeptFor(DAY_S, 10_000), lambda: NOW)
    assert (old.exists(), young.exists()) == (False, True)


def test_what_is_being_announced_and_what_others_put_there_stays(tmp_path: Path) -> None:
    young = keep(tmp_path, "action", 1, 30.0)
    notes = tmp_path / "gate" / "notes.jpg"
    notes.write_bytes(b"x" * 1000)
    os.utime(notes, (0, 0))
    unfinished = tmp_path / ".unfinished" / "run" / "1-action-fight-0123456789ab.jpg"
    unfinished.parent.mkdir(parents=True)
    unfinished.write_bytes(b"x")
    os.utime(unfinished, (0, 0))
    assert delete_old(tmp_path, KeptFor(DAY_S, 1), lambda: NOW)[0] == 0
    assert young.exists()
    assert notes.exists()
    assert unfinished.exists()


def test_a_folder_that_is_missing_has_nothing_to_delete(tmp_path: Path) -> None:
    assert delete_old(tmp_path / "none", KeptFor(DAY_S, 1), lambda: NOW) == (0, 0)


def test_a_file_that_cannot_be_deleted_does_not_keep_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck, other = keep(tmp_path, "alarm", 1, 3 * DAY_S), keep(tmp_path, "alarm", 2, 2 * DAY_S)
    unlink = Path.unlink

    def refuse(path: Path, *, missing_ok: bool = False) -> None:
        if path == stuck:
            raise PermissionError(1, "Operation not permitted")
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(PermissionError):
        delete_old(tmp_path, KeptFor(DAY_S, 10_000), lambda: NOW)
    assert (stuck.exists(), other.exists()) == (True, False)


def test_files_of_a_clock_that_was_ahead_are_bounded_too(tmp_path: Path) -> None:
    ahead = [keep(tmp_path, "alarm", n, -365 * DAY_S - n) for n in range(3)]
    assert delete_old(tmp_path, KeptFor(DAY_S, 250), lambda: NOW) == (1, 200)
    assert [path.exists() for path in ahead] == [False, True, True]
