"""Tells systemd how the service is doing: sd_notify(3), one datagram per message.

Written here because it is so little: of the packages on PyPI some are unmaintained and the others
need systemd's C headers to build.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Mapping
from typing import Self

SEND_LIMIT_S = 1.0  # a service manager that is stuck must not hold us up

log = logging.getLogger(__name__)


class SystemdNotifier:
    """Speaks to the service manager, or to nobody; a message that cannot be sent stops nothing.

    Args:
        address: of its socket, a path or "@" and an abstract name; None: nobody listens.
        watchdog_interval_s: how often to say `alive`; None: nobody waits for it.
    """

    def __init__(self, address: str | None, watchdog_interval_s: float | None = None) -> None:
        self._address = address
        self.watchdog_interval_s = watchdog_interval_s
        self._complained = False

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """What NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID say; without the first, nobody."""
        address = environment.get("NOTIFY_SOCKET") or None
        return cls(address, None if address is None else _watchdog_interval_s(environment))

    def ready(self) -> None:
        """The start is over, or the reload that was announced by `reloading`."""
        self._send("READY=1")

    def status(self, text: str) -> None:
        """One line for people, shown by `systemctl status`."""
        self._send(f"STATUS={' '.join(text.split())}")

    def reloading(self) -> None:
        """The configuration is about to be read again; `ready` must follow, even if that fails."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """The end has begun."""
        self._send("STOPPING=1")

    def alive(self) -> None:
        """To be said every `watchdog_interval_s`, or the service is killed and started again."""
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
            level = logging.DEBUG if self._complained else logging.WARNING
            self._complained = True
            log.log(level, "cannot tell the service manager at %s: %s", self._address, error)


def _watchdog_interval_s(environment: Mapping[str, str]) -> float | None:
    """Half of what the watchdog waits for this process, as sd_watchdog_enabled(3) advises."""
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    text = environment.get("WATCHDOG_USEC", "")
    return int(text) / 2e6 if text.isdecimal() and int(text) else None
