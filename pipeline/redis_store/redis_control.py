"""What a program that runs a redis-server of its own asks of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import redis

from pipeline.errors import EventStoreError
from pipeline.redis_store.connection import connect, reporting


def ready_run_id(url: str, directory: Path, *, timeout_s: float = 1.0) -> str | None:
    """The random id that a ready server with its data in `directory` drew when it started.

    None where nothing answers, something else answers, or the server still loads its data.
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
        return None  # whatever it is, it is not the server we ask for
    finally:
        client.close()


def shut_down(url: str, run_id: str, *, timeout_s: float = 5.0) -> None:
    """Stop the server of that run id; it syncs its append-only file first.

    Raises:
        EventStoreError: if another server answers there, or none.
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
