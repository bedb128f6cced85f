"""A deadline for a whole HTTP exchange, however slowly the other end sends.

The timeouts of requests and of sockets are for each single wait: a receiver that sends a byte every
few seconds would hold an exchange open forever, in the TLS handshake, the headers or the body.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection


class DeadlineAdapter(HTTPAdapter):
    """Connections of a `requests.Session` that are cut when an exchange takes too long.

    For one exchange at a time; mount it for `http://` and `https://`.

    Attributes:
        expired: whether the newest exchange was cut.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: set[socket.socket] = set()  # second handles of the open connections
        self.expired = False
        super().__init__()

    @contextmanager
    def within(self, timeout_s: float) -> Iterator[None]:
        """Cut the connections when the block takes longer.

        Args:
            timeout_s: of the exchange, seconds.

        Raises:
            TimeoutError: at the end of a block that was cut, whatever it raised.
        """
        self.expired = False
        timer = threading.Timer(timeout_s, self._cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        except Exception:
            if not self.expired:
                raise
        finally:
            timer.cancel()
        if self.expired:
            raise TimeoutError

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Make a pool manager whose connections can be cut."""
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = self._pools()

    def proxy_manager_for(self, *arguments: Any, **options: Any) -> Any:
        """Make the same for a proxy."""
        manager = super().proxy_manager_for(*arguments, **options)
        manager.pool_classes_by_scheme = self._pools()
        return manager

    def _pools(self) -> dict[str, type[HTTPConnectionPool]]:
        watch = self._watch

        class Plain(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                return watch(super()._new_conn())

        class Encrypted(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                return watch(super()._new_conn())

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class EncryptedPool(HTTPSConnectionPool):
            ConnectionCls = Encrypted

        return {"http": PlainPool, "https": EncryptedPool}

    def _watch(self, connection: socket.socket) -> socket.socket:
        line = connection.dup()  # TLS takes the handle of the connection itself
        with self._lock:
            self._forget()  # one exchange at a time has one connection
            self._lines.add(line)
            expired = self.expired
        if expired:
            self._cut()
        return connection

    def _cut(self) -> None:
        with self._lock:
            self.expired = True
            for line in self._lines:
                with suppress(OSError):  # the other end was faster
                    line.shutdown(socket.SHUT_RDWR)
            self._forget()

    def _forget(self) -> None:
        for line in self._lines:
            line.close()
        self._lines.clear()

    def close(self) -> None:
        """Close the connections."""
        super().close()
        with self._lock:
            self._forget()
