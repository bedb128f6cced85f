"""A TCP connection that can be disturbed: replies lost, bytes delayed, narrow, the line cut."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


class TcpProxy:
    """Pass bytes between clients and a server on loopback."""

    def __init__(self, port: int) -> None:
        self.drop_next_reply = threading.Event()  # together with its connection
        self.dropped = 0
        self.delay_s = 0.0  # of every piece, in both directions
        self.bytes_per_s: float | None = None  # in each direction; the rest waits in the sender
        self.refuses = False  # new connections are closed immediately
        self._server_port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        """The URL of a Redis server behind the proxy."""
        return f"redis://127.0.0.1:{self.port}/0"

    def cut(self) -> None:
        """End all connections; new ones are passed on unless `refuses` is set."""
        for one in self._sockets:
            end_both_ways(one)

    def close(self) -> None:
        """End all connections and threads."""
        self.delay_s = 0.0
        self.bytes_per_s = None
        end_both_ways(self._listener)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join(timeout=10)
        for one in self._sockets:
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return  # closed
            try:
                if self.refuses:
                    raise ConnectionRefusedError
                near = self._greet(near)
                far = socket.create_connection(("127.0.0.1", self._server_port))
            except OSError:  # the server is unreachable
                near.close()
                continue
            self._sockets += [near, far]
            change = self._change_replies()
            for source, target, changes in ((near, far, None), (far, near, change)):
                thread = threading.Thread(target=self._pump, args=(source, target, changes))
                self._threads.append(thread)
                thread.start()

    def _greet(self, near: socket.socket) -> socket.socket:
        """Return the socket to read a new client from; a subclass may wrap it."""
        return near

    def _change_replies(self) -> Callable[[bytes], bytes]:
        """Return the function that a connection's replies pass through, chunk by chunk."""
        return lambda data: data

    def _pump(
        self,
        source: socket.socket,
        target: socket.socket,
        change_replies: Callable[[bytes], bytes] | None,
    ) -> None:
        with suppress(OSError):
            while data := source.recv(self._piece()):
                if change_replies is not None:
                    if self.drop_next_reply.is_set():
                        self.drop_next_reply.clear()
                        self.dropped += 1
                        break
                    data = change_replies(data)
                time.sleep(self.delay_s)
                target.sendall(data)
                if (rate := self.bytes_per_s) is not None:
                    time.sleep(len(data) / rate)
        end_both_ways(source)
        end_both_ways(target)

    def _piece(self) -> int:
        """Return how many bytes to read at a time: few on a narrow line, to send evenly."""
        rate = self.bytes_per_s
        return 65536 if rate is None else max(1, min(65536, int(rate / 20)))


def end_both_ways(one: socket.socket) -> None:
    """Shut a connection down, which wakes the readers on both sides."""
    with suppress(OSError):  # the other end was faster
        one.shutdown(socket.SHUT_RDWR)


@contextmanager
def proxy_to(url: str) -> Iterator[TcpProxy]:
    """Run a proxy in front of the server of a URL for the duration of the block."""
    proxy = TcpProxy(int(url.split(":")[-1].removesuffix("/0")))
    try:
        yield proxy
    finally:
        proxy.close()
