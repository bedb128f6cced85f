"""Record which hosts the processes of a test connect to or look up from Python code."""

from __future__ import annotations

import json
from pathlib import Path

# `site` imports a module of this name at the start of every Python process that finds it.
_HOOK = """
import json, sys

def record(event, arguments):
    if event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = arguments[0]
    elif event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = arguments[1]
        if not isinstance(address, tuple):
            return  # a Unix socket
        host = address[0]
    else:
        return
    host = host.decode() if isinstance(host, bytes) else str(host or "")
    with open({log!r}, "a") as file:
        file.write(json.dumps([event, host, sys.argv]) + "\\n")

sys.addaudithook(record)
"""
_OWN_MACHINE = ("", "localhost", "::1", "::", "0.0.0.0")


class NetworkLog:
    """Every host that Python processes reach for; libraries in C are not seen."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._log = folder / "network.jsonl"
        (folder / "sitecustomize.py").write_text(_HOOK.format(log=str(self._log)))

    def unasked(self) -> list[str]:
        """What reached for a host that no argument of its command names."""
        return sorted(
            {
                f"{event} {host} by {' '.join(argv)}"
                for event, host, argv in self._entries()
                if not is_own_machine(host) and not any(host in argument for argument in argv)
            }
        )

    def _entries(self) -> list[tuple[str, str, list[str]]]:
        if not self._log.exists():
            return []
        return [tuple(json.loads(line)) for line in self._log.read_text().splitlines()]


def is_own_machine(host: str) -> bool:
    return host in _OWN_MACHINE or host.startswith("127.")
