"""Notify systemd of the state of the service: sd_notify(3), one datagram per message.

The protocol is small, and of the packages on PyPI some are unmaintained and the others need
systemd's C headers to build.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Mapping
from typing import Self

SEND_LIMIT_S = 1.0  # a stuck service manager must not block the run

log = logging.getLogger(__name__)


class SystemdNotifier:
    """Send notifications to the service manager, if there is one; a failure is only logged.

    Args:
        address: of its socket, a path or "@" and an abstract name; None: nothing is sent.
        watchdog_interval_s: seconds between two calls of `alive`; None: there is no watchdog.
    """

    def __init__(self, address: str | None, watchdog_interval_s: float | None = None) -> None:
        self._address = address
        self.watchdog_interval_s = watchdog_interval_s
        self._has_failed = False

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID; without the first nothing is sent."""
        address = environment.get("NOTIFY_SOCKET") or None
        return cls(address, None if address is None else _watchdog_interval_s(environment))

    def ready(self) -> None:
        """Report the end of the start, or of the reload that `reloading` announced."""
        self._send("READY=1")

    def status(self, text: str) -> None:
        """Set the line that `systemctl status` shows."""
        self._send(f"STATUS={' '.join(text.split())}")

    def reloading(self) -> None:
        """Announce a reload of the configuration; `ready` must follow, even if it fails."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Announce the end of the service."""
        self._send("STOPPING=1")

    def alive(self) -> None:
        """Reset the watchdog; without it for `watchdog_interval_s` the service is restarted."""
        self._send("WATCHDOG=1")

    def _send(self, message: str) -> None:
        if self._address is None:
            return
        address = "\0" + self._address[1:] if self._address[0] == "@" else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.settimeout(SEND_LIMIT_S)
                sender.sendto(message.encode(errors="replace"), address)
        except OSError as error:
            level = logging.DEBUG if self._has_failed else logging.WARNING
            self._has_failed = True
            log.log(level, "cannot notify the service manager at %s: %s", self._address, error)


def _watchdog_interval_s(environment: Mapping[str, str]) -> float | None:
    """Return half of the watchdog's timeout for this process, as sd_watchdog_enabled(3) advises."""
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    text = environment.get("WATCHDOG_USEC", "")
    return int(text) / 2e6 if text.isdecimal() and int(text) else None
