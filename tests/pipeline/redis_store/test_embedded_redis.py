"""One server per directory, shared by processes, whichever of them dies, and whenever."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import redis

from pipeline.errors import EventStoreError
from pipeline.redis_store.embedded_redis import embedded_redis
from pipeline.redis_store.redis_server import ALIVE_LOCK, URL_FILE, stop_server
from pipeline.runtime.file_lock import FileLock

REPOSITORY = Path(__file__).resolve().parents[3]
COMMAND = """
import sys
from pathlib import Path
from pipeline.redis_store.embedded_redis import embedded_redis
with embedded_redis(Path(sys.argv[1])) as url:
    print(url, flush=True)
    sys.stdin.readline()  # until the test writes a line
"""


@pytest.fixture
def directory(redis_program: None, tmp_path: Path) -> Path:
    return tmp_path / "out put" / "it's redis"  # blanks and quotes are allowed in paths


class Command:
    """Another process that uses the embedded server of a directory until it is asked to leave."""

    def __init__(self, directory: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, str(directory)],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def url(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def leave(self) -> None:
        self._process.communicate("leave\n", timeout=60)
        assert self._process.returncode == 0

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate(timeout=60)


@contextmanager
def client_of(url: str) -> Iterator[redis.Redis]:
    client = redis.Redis.from_url(url, protocol=2, socket_timeout=2.0)
    try:
        yield client
    finally:
        client.close()


def is_free(directory: Path) -> bool:
    """Whether no server runs in the directory."""
    with FileLock(directory / ALIVE_LOCK) as alive:
        return alive.try_lock()


def test_a_server_keeps_its_data_from_one_command_to_the_next(directory: Path) -> None:
    with embedded_redis(directory) as url, client_of(url) as client:
        client.set("kept", "yes")
    assert is_free(directory)

    with embedded_redis(directory) as url, client_of(url) as client:
        assert client.get("kept") == b"yes"
        for name, value in (("appendonly", "yes"), ("appendfsync", "everysec"), ("port", "0")):
            assert client.config_get(name) == {name: value}


def test_two_processes_share_one_server_and_the_last_to_leave_stops_it(directory: Path) -> None:
    starter = Command(directory)
    url = starter.url()
    guest = Command(directory)

    assert guest.url() == url
    starter.leave()
    with client_of(url) as client:
        assert client.ping()
    guest.leave()
    assert is_free(directory)
    with client_of(url) as client, pytest.raises(redis.ConnectionError):
        client.ping()


def test_commands_that_start_at_the_same_time_get_the_same_server(directory: Path) -> None:
    commands = [Command(directory) for _ in range(4)]

    urls = {command.url() for command in commands}
    for command in commands:
        command.leave()

    assert len(urls) == 1
    assert is_free(directory)


def test_the_server_of_a_killed_starter_serves_and_ends_with_the_next_command(
    directory: Path,
) -> None:
    starter = Command(directory)
    url = starter.url()
    with client_of(url) as client:
        client.set("written before", "kill -9")
    starter.kill()

    with embedded_redis(directory) as next_url, client_of(next_url) as client:
        assert next_url == url
        assert client.get("written before") == b"kill -9"
    assert is_free(directory)


def test_a_killed_server_is_replaced_and_half_a_write_in_its_file_is_forgiven(
    directory: Path,
) -> None:
    with embedded_redis(directory) as url, client_of(url) as client:
        client.set("whole", "yes")
        client.set("last", "x" * 1000)
        pid = client.info("server")["process_id"]
        while client.info("persistence")["aof_buffer_length"]:
            time.sleep(0.01)
        os.kill(pid, signal.SIGKILL)
        with FileLock(directory / ALIVE_LOCK) as alive:
            assert alive.lock(timeout_s=60)
    newest = max(directory.rglob("*.aof"), key=lambda path: path.stat().st_size)
    os.truncate(newest, newest.stat().st_size - 500)

    with embedded_redis(directory) as url, client_of(url) as client:
        assert client.get("whole") == b"yes"
        assert client.get("last") is None


def test_the_last_to_leave_stops_the_successor_of_a_server_that_died(
    directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with embedded_redis(directory) as url:
        with client_of(url) as client:
            os.kill(client.info("server")["process_id"], signal.SIGKILL)
        with FileLock(directory / ALIVE_LOCK) as alive:
            assert alive.lock(timeout_s=60)
        later = Command(directory)
        successor_url = later.url()
        later.leave()
        assert successor_url == url  # its holder continues with the successor
        assert not is_free(directory)  # we are still inside

    assert is_free(directory)
    assert caplog.records == []


def test_another_redis_at_the_recorded_place_is_not_touched(
    directory: Path, tmp_path: Path
) -> None:
    foreign_directory = tmp_path / "foreign"
    with embedded_redis(foreign_directory) as foreign_url, client_of(foreign_url) as foreign:
        foreign.set("theirs", "yes")
        directory.mkdir(parents=True)
        with FileLock(directory / ALIVE_LOCK) as alive:  # it looks as if a server ran here
            assert alive.try_lock()
            (directory / URL_FILE).write_text(foreign_url)
            late = pytest.raises(EventStoreError, match=r"does not answer within 0\.5 s")
            with late, embedded_redis(directory, timeout_s=0.5):
                pytest.fail("attached to the server of another folder")
        assert foreign.dbsize() == 1


def test_a_server_of_another_run_id_is_not_stopped(directory: Path) -> None:
    with embedded_redis(directory) as url, client_of(url) as client:
        with pytest.raises(EventStoreError, match="not the one"):
            stop_server(url, "0" * 40)
        assert client.ping()


def test_an_interrupt_in_the_terminal_is_not_for_the_server(directory: Path) -> None:
    with embedded_redis(directory) as url, client_of(url) as client:
        pid = client.info("server")["process_id"]
        assert os.getsid(pid) != os.getsid(0)
        assert os.getpgid(pid) != os.getpgid(0)


def test_a_removed_directory_does_not_leave_a_server_behind(directory: Path) -> None:
    with ExitStack() as stack:
        with embedded_redis(directory):
            alive = stack.enter_context(FileLock(directory / ALIVE_LOCK))
            assert not alive.try_lock()
            shutil.rmtree(directory)
        assert alive.try_lock()  # its process has ended


def test_a_frozen_server_is_an_error_within_the_time_allowed(directory: Path) -> None:
    with embedded_redis(directory) as url, client_of(url) as client:
        pid = client.info("server")["process_id"]
        os.kill(pid, signal.SIGSTOP)
        try:
            late = pytest.raises(EventStoreError, match=r"does not answer within 0\.5 s")
            with late, embedded_redis(directory, timeout_s=0.5):
                pytest.fail("attached to a server that does not answer")
        finally:
            os.kill(pid, signal.SIGCONT)


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with (
        pytest.raises(EventStoreError, match="file/redis"),
        embedded_redis(tmp_path / "file/redis"),
    ):
        pytest.fail("worked without a directory")


def test_threads_of_one_process_share_the_server_too(directory: Path) -> None:
    urls: list[str] = []
    together = threading.Barrier(3, timeout=60)

    def use() -> None:
        with embedded_redis(directory) as url:
            urls.append(url)
            together.wait()

    run_all: list[Callable[[], None]] = [use] * 3
    threads = [threading.Thread(target=each) for each in run_all]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(urls) == 3
    assert len(set(urls)) == 1
    assert is_free(directory)
