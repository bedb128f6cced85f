from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config.shipped_files import PACKAGED, PROJECT, find_file
from tests.conftest import REPOSITORY


def put(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_the_current_directory_comes_before_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, name = tmp_path / "project", "configs/own.yaml"
    monkeypatch.chdir(tmp_path)
    assert find_file(name, project) == Path(name)
    in_wheel = put(project / PACKAGED.relative_to(PROJECT) / name)
    assert find_file(name, project) == in_wheel
    in_checkout = put(project / name)
    assert find_file(name, project) == in_checkout
    put(tmp_path / name)
    assert find_file(name, project) == Path(name)


def test_a_file_of_the_checkout_is_found_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_file("configs/alarms.yaml") == REPOSITORY / "configs/alarms.yaml"
    assert find_file(tmp_path / "absent") == tmp_path / "absent"
