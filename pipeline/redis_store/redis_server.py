"""Start a private redis-server on a directory, inspect it and stop it.

It listens on a Unix socket that only its user can reach, never on a port: a client of a Redis
server without restrictions can write files and run code as its user. Clients of this one may do
what programs do with a stream; what administrates a server is off, even for them.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import struct
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import redis

from pipeline.errors import EventStoreError
from pipeline.redis_store.connection import connect, reporting
from pipeline.redis_store.server_program import find_redis_server
from pipeline.runtime.file_lock import FileLock
from pipeline.runtime.private_files import is_private, open_private

ALIVE_LOCK = "server.lock"  # locked exactly as long as the server process lives
URL_FILE = "server.url"  # where the server of ALIVE_LOCK listens
SOCKET_FILE = "redis.sock"
LOG_FILE = "redis.log"

_POLL_S = 0.02
_TEMPORARY = "behaviour-stream-"  # prefix of the folder of a socket that has no place here
_SOCKET_PATH_BYTES = 103  # what macOS allows; Linux 107

# No @admin, no @dangerous: neither CONFIG SET, MODULE, DEBUG, SHUTDOWN, SAVE, REPLICAOF, MIGRATE,
# ACL, MONITOR nor FLUSHALL. No FUNCTION, whose code would stay; EVAL is how events are appended.
_PERMITTED = (
    "+@all -@admin -@dangerous -@scripting +eval +evalsha +script|load +script|exists "
    "+info +keys +config|get +client|setname +client|id"
)


def start_server(directory: Path, *, timeout_s: float) -> None:
    """Start a server with its data in `directory` and wait until it is ready.

    It runs in a separate process session, out of reach of a Ctrl-C in our terminal. Its URL is
    written to URL_FILE, and it inherits the lock on ALIVE_LOCK. The caller ensures that no other
    process starts a server in the directory meanwhile.

    Args:
        directory: exists; holds socket, lock, log and data.
        timeout_s: longest wait until the server is ready, seconds.

    Raises:
        EventStoreError: if it ends or is not ready in time; the message has the end of its log.
    """
    program = find_redis_server()
    deadline = time.monotonic() + timeout_s
    log_path = directory / LOG_FILE
    log_start = log_path.stat().st_size if log_path.exists() else 0
    if killed := recorded_url(directory):
        remove_socket(killed)
    path = _socket_path(directory)
    url = f"unix://{quote(str(path))}"
    # Before the start: if we are killed, the next command can still reach the server.
    with open_private(directory / URL_FILE, "wb") as file:
        file.write(url.encode())
    _spawn(program, directory, path)
    if not _becomes_ready(directory, url, deadline):
        raise EventStoreError(
            f"{program} does not start in {directory} (waited at most {timeout_s:g} s); "
            f"the end of {log_path}:\n{_tail(log_path, log_start)}"
        )


def recorded_url(directory: Path) -> str | None:
    """Return the URL of the newest server of a directory, which may have ended."""
    file = directory / URL_FILE
    try:
        url = file.read_text(encoding="utf-8")
        owner = file.stat().st_uid
    except (FileNotFoundError, UnicodeDecodeError):
        return None
    if owner != os.geteuid() != 0:  # others may write to a folder that the user made
        return None
    return url if url.startswith("unix://") and _path_of(url).name == SOCKET_FILE else None


def ready_run_id(url: str, directory: Path, *, timeout_s: float = 1.0) -> str | None:
    """Return the run id of the server at `url` if it is ready and has its data in `directory`.

    Returns:
        The random id that the server chose when it started; None if nothing or another program
        answers, or the server is still loading its data.
    """
    client = connect(url, socket_timeout_s=timeout_s, retries=0)
    try:
        client.ping()  # refused while loading
        client.set_response_callback("CONFIG GET", lambda pair, **_: pair)  # a path may be no UTF-8
        name, data = client.config_get("dir")
        if name != b"dir" or not Path(os.fsdecode(data)).samefile(directory):
            return None
        server: Any = client.info("server")
        return str(server["run_id"])
    except (redis.RedisError, OSError, KeyError, ValueError):
        return None  # it is another program
    finally:
        client.close()


def stop_server(url: str, run_id: str, *, timeout_s: float = 5.0) -> None:
    """Ask the server with that run id to end; it syncs its append-only file first.

    By a signal, since no client may shut it down.

    Raises:
        EventStoreError: if another server answers at `url`, or none, or its process is out of
            reach.
    """
    client = connect(url, socket_timeout_s=timeout_s, retries=0)
    try:
        with reporting(url):
            server: Any = client.info("server")
        if server["run_id"] != run_id:
            raise EventStoreError(f"the server at {url} is not the one that was started")
        os.kill(_process_id(url, server), signal.SIGTERM)
    except OSError as error:
        raise EventStoreError(f"cannot stop the server at {url}: {error}") from error
    finally:
        client.close()


def process_handle(url: str) -> int | None:
    """Return a descriptor of the server's process, which stays its own when the process has ended.

    With it the server is stopped even when its folder, and the socket in it, is gone.

    Returns:
        A descriptor to close; None where the system has none, or the process is out of reach.
    """
    if not hasattr(os, "pidfd_open"):  # Linux
        return None
    with suppress(OSError):
        return os.pidfd_open(_process_id(url, {}))
    return None


def stop_process(handle: int) -> bool:
    """Ask a process to end; return False if it has ended, whether or not its parent took notice."""
    ended = select.poll()
    ended.register(handle, select.POLLIN)
    if ended.poll(0):
        return False
    try:
        signal.pidfd_send_signal(handle, signal.SIGTERM)
    except ProcessLookupError:
        return False
    return True


def remove_socket(url: str) -> None:
    """Remove the temporary folder of a socket, if it is in one and its server has ended.

    It may live: that of a folder of which ours is a copy, with the URL in it.
    """
    path = _path_of(url)
    if not path.parent.name.startswith(_TEMPORARY):
        return  # servers remove and replace sockets themselves
    with socket.socket(socket.AF_UNIX) as probe, suppress(OSError):
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            path.unlink(missing_ok=True)
            path.parent.rmdir()


def _process_id(url: str, server: dict[str, Any]) -> int:
    """Return the process that listens, as the kernel knows it.

    What the server reports is a number of its own namespace, perhaps of another container: here
    another process may have it.

    Raises:
        OSError: if it is not in our namespace, or nothing listens.
    """
    peer = getattr(socket, "SO_PEERCRED", None)  # Linux
    if peer is None:
        return int(server["process_id"])
    with socket.socket(socket.AF_UNIX) as probe:
        probe.connect(str(_path_of(url)))
        pid, _, _ = struct.unpack("3i", probe.getsockopt(socket.SOL_SOCKET, peer, 12))
    if not pid:
        raise OSError("it runs in another container")
    return int(pid)


def _path_of(url: str) -> Path:
    return Path(unquote(urlsplit(url).path))


def _socket_path(directory: Path) -> Path:
    """Choose the place of the socket: in `directory`, or in a temporary folder of the user.

    The latter where others may enter the directory, where the path is too long for a socket or no
    text, or where the file system has no sockets.
    """
    inside = directory.absolute() / SOCKET_FILE
    if is_private(directory) and _can_listen(inside):
        return inside
    try:
        # Not in XDG_RUNTIME_DIR, which ends with the login session; a run may outlive that.
        folder = Path(tempfile.mkdtemp(prefix=_TEMPORARY))
        if not _can_listen(folder / SOCKET_FILE):
            folder.rmdir()
            folder = Path(tempfile.mkdtemp(prefix=_TEMPORARY, dir="/tmp"))
    except OSError as error:
        raise EventStoreError(f"no place for the socket of Redis: {error}") from error
    return folder / SOCKET_FILE


def _can_listen(path: Path) -> bool:
    if not str(path).isprintable():  # what is not UTF-8 isn't either
        return False
    name = str(path).encode()
    if len(name) > _SOCKET_PATH_BYTES:
        return False
    try:
        path.unlink(missing_ok=True)  # a killed server leaves it
        with socket.socket(socket.AF_UNIX) as probe:
            probe.bind(name)
        path.unlink()
    except OSError:
        return False
    return True


def _spawn(program: Path, directory: Path, socket_path: Path) -> None:
    options = {
        "port": "0",
        "unixsocket": _quoted(str(socket_path)),
        "unixsocketperm": "700",
        "user": f"default on nopass ~* &* {_PERMITTED}",
        "daemonize": "yes",  # own session; no zombie if the command that started it ends first
        "pidfile": "server.pid",  # the default is that of the system's Redis in /var/run
        "logfile": LOG_FILE,
        "save": '""',  # the append-only file alone is the data
        "appendonly": "yes",
        "appendfsync": "everysec",
        "aof-load-truncated": "yes",  # a crash may cut the last write in half
        # Commands, which Redis and Valkey of any version read; not their own binary formats.
        "aof-use-rdb-preamble": "no",
    }
    with FileLock(directory / ALIVE_LOCK) as alive:
        if not alive.try_lock():
            raise EventStoreError(f"a redis-server in {directory} is still running")
        try:
            subprocess.run(  # noqa: S603 - fixed arguments, no shell
                [str(program), "-"],
                input="".join(f"{name} {value}\n" for name, value in options.items()),
                cwd=directory,
                capture_output=True,
                text=True,
                check=True,
                timeout=10.0,
                umask=0o077,
                pass_fds=(alive.fileno(),),
            )
        except (OSError, subprocess.SubprocessError) as error:
            output = getattr(error, "stdout", None) or getattr(error, "stderr", None) or ""
            raise EventStoreError(f"cannot run {program}: {error}\n{output}".rstrip()) from error


def _quoted(text: str) -> str:
    """Quote a text for the configuration file of Redis; blanks and quotes may be in a path."""
    return '"' + "".join(f"\\x{byte:02x}" for byte in text.encode()) + '"'


def _becomes_ready(directory: Path, url: str, deadline: float) -> bool:
    with FileLock(directory / ALIVE_LOCK) as alive:
        while time.monotonic() < deadline:
            if alive.try_lock():
                alive.unlock()
                return False
            if ready_run_id(url, directory) is not None:
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
