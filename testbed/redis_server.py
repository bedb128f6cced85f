"""A real redis-server on loopback that permits everything: what the embedded server must not do."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from pipeline.redis_store.server_program import find_redis_server
from testbed.free_port import free_port

_START_S = 60.0
_PORT_ATTEMPTS = 5


@contextmanager
def redis_server(folder: Path, *options: str, program: Path | None = None) -> Iterator[str]:
    """Run a server within the block and yield its URL.

    Args:
        folder: of its data and its log; created if missing.
        *options: more arguments, such as `--requirepass`, `hunter2`; the first may be a
            configuration file.
        program: redis-server or valkey-server; None: the one that the embedded server would use.
    """
    folder.mkdir(parents=True, exist_ok=True)
    process, port = _start(program or find_redis_server(), folder, options)
    try:
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.kill()
        process.wait()


def _start(
    program: Path, folder: Path, options: tuple[str, ...]
) -> tuple[subprocess.Popen[bytes], int]:
    """Start the program on a free port; another program may take the port in between."""
    for _ in range(_PORT_ATTEMPTS):
        # A cluster node listens on the port 10,000 above it too.
        port = next(port for port in iter(free_port, None) if port + 10_000 < 65_536)
        own = ["--port", str(port), "--save", "", "--appendonly", "yes"]
        own += [] if "--bind" in options else ["--bind", "127.0.0.1"]
        is_file = bool(options) and not options[0].startswith("--")
        arguments = [*options[:1], *own, *options[1:]] if is_file else [*own, *options]
        with (folder / "server.log").open("ab") as log:
            process = subprocess.Popen([str(program), *arguments], cwd=folder, stdout=log)
        if _answers(process, port):
            return process, port
    raise AssertionError(f"no redis-server on five ports, see {folder / 'server.log'}")


def _answers(process: subprocess.Popen[bytes], port: int) -> bool:
    deadline = time.monotonic() + _START_S
    own_pace = Retry(NoBackoff(), 0)
    with redis.Redis(port=port, protocol=2, socket_timeout=_START_S, retry=own_pace) as client:
        while process.poll() is None and time.monotonic() < deadline:
            try:
                client.ping()
            except (redis.AuthenticationError, redis.exceptions.NoPermissionError):
                return True
            except redis.RedisError:  # it is starting, or loading
                time.sleep(0.02)
            else:
                return True
    process.kill()
    process.wait()
    return False
