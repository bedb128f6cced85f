"""A port for a server that a test or a benchmark starts, or for one that must not be there."""

from __future__ import annotations

import socket


def free_port() -> int:
    """Return a TCP port of the loopback interface that is unused now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
