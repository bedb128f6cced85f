"""The embedded redis-server: one per directory, shared by all commands that use the directory."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.errors import EventStoreError
from pipeline.redis_store.redis_server import (
    ALIVE_LOCK,
    LOG_FILE,
    process_handle,
    ready_run_id,
    recorded_url,
    remove_socket,
    start_server,
    stop_process,
    stop_server,
)
from pipeline.runtime.file_lock import FileLock
from pipeline.runtime.private_files import close_to_others, make_private_folder

log = logging.getLogger(__name__)

_POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class _Server:
    url: str
    run_id: str  # random, chosen by the server when it starts: no other server has it
    process: int | None = None  # see `process_handle`


@contextmanager
def embedded_redis(directory: Path, *, timeout_s: float = 15.0) -> Iterator[str]:
    """Yield the URL of a redis-server that keeps its data under `directory`.

    The first command starts it, others attach, the last to leave stops it. Three locks ensure that
    whichever process dies at whichever time, because the kernel releases them:

    * `start.lock`: held while a command joins or leaves, so that only one does so at a time;
    * `users.lock`: shared by the attached commands; the last one can lock it exclusively;
    * `server.lock`: inherited by the server, so it is free exactly when no server runs here. A
      stale URL in a file therefore never leads to another program.

    A server that outlived a killed command is found by the next command, which stops it at its end.

    Args:
        directory: created if missing, for this user alone; holds locks, log, socket and data.
        timeout_s: longest wait for the server, and for other commands that join or leave, seconds.

    Raises:
        EventStoreError: if there is no redis-server program, or it does not start in time.
    """
    try:
        make_private_folder(directory)
        if (directory / ALIVE_LOCK).exists():
            close_to_others(directory)  # earlier releases made it by the umask
        joining, users = FileLock(directory / "start.lock"), FileLock(directory / "users.lock")
        alive = FileLock(directory / ALIVE_LOCK)
    except OSError as error:
        raise EventStoreError(f"cannot keep Redis data in {directory}: {error}") from error
    # All three stay open to the end: leaving works even if the directory was removed meanwhile.
    with joining, users, alive:
        _take_turn(joining, directory, timeout_s)
        users.try_lock(shared=True)  # exclusive locks are taken with `joining` only
        server = _join(directory, alive, timeout_s)
        server = replace(server, process=process_handle(server.url))
        joining.unlock()
        try:
            yield server.url
        finally:
            try:
                _take_turn(joining, directory, timeout_s)
                if users.try_lock():
                    _stop(server, directory, alive, timeout_s)
            finally:
                if server.process is not None:
                    os.close(server.process)


def running_server(url: str, directory: Path) -> AbstractContextManager[str]:
    """Yield `url` itself, or the URL of the embedded server, which runs during the block.

    Args:
        url: `embedded`, or a Redis URL.
        directory: where the embedded server keeps its data.
    """
    return embedded_redis(directory) if url == "embedded" else nullcontext(url)


def _take_turn(joining: FileLock, directory: Path, timeout_s: float) -> None:
    if not joining.lock(timeout_s=2 * timeout_s):  # its holder may need `timeout_s` too
        raise EventStoreError(
            f"another command holds {directory}/start.lock and does not release it"
        )


def _join(directory: Path, alive: FileLock, timeout_s: float) -> _Server:
    """Attach to the server of this directory, or start one."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if alive.try_lock():
            alive.unlock()
            start_server(directory, timeout_s=timeout_s)
        server = _running_server(directory)
        if server is not None:
            return server
        time.sleep(_POLL_S)
    raise EventStoreError(
        f"a redis-server runs in {directory} but does not answer within {timeout_s:g} s "
        f"(see {directory / LOG_FILE}; stop it, or choose another output directory)"
    )


def _running_server(directory: Path) -> _Server | None:
    """The server at the recorded URL, if it is ready and keeps its data here."""
    url = recorded_url(directory)
    run_id = url and ready_run_id(url, directory)
    return _Server(url, run_id) if url and run_id else None


def _stop(joined: _Server, directory: Path, alive: FileLock, timeout_s: float) -> None:
    """Stop the server; a failure is a warning, since the run is over and its data is safe."""
    if alive.try_lock():
        remove_socket(joined.url)  # it has died already
        return
    asked = joined.process is not None and stop_process(joined.process)
    if asked and alive.lock(timeout_s=timeout_s):
        remove_socket(joined.url)
        return
    # The joined one, or the one that a later command started after that one had died.
    for server in filter(None, (joined, _running_server(directory))):
        with suppress(EventStoreError):
            stop_server(server.url, server.run_id)
            if alive.lock(timeout_s=timeout_s):
                remove_socket(server.url)
                return
    if alive.try_lock():
        return  # it died while it was asked
    log.warning(
        "the redis-server in %s does not stop (see %s there); the next command on this directory "
        "will use it and try to stop it again",
        directory,
        LOG_FILE,
    )
