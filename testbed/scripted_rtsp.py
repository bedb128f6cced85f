"""RTSP cameras on loopback that answer as a script says, and hosts that must not be reached."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress

from testbed.tcp_proxy import end_both_ways

SDP = (
    b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n"
    b"a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\na=control:t0\r\n"
)
_DEFAULTS: dict[str, bytes] = {
    "OPTIONS": b"200 OK\r\nPublic: OPTIONS, DESCRIBE, SETUP, PLAY\r\n\r\n",
    "DESCRIBE": b"200 OK\r\nContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n" % len(SDP)
    + SDP,
    "SETUP": b"200 OK\r\nSession: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n",
    "PLAY": b"200 OK\r\nSession: 1\r\n\r\n",
    "TEARDOWN": b"200 OK\r\n\r\n",
}
Answer = bytes | Callable[[str], bytes]  # what follows "RTSP/1.0 " and CSeq; of the request


class ScriptedRtsp:
    """A server of one thread per connection; a context manager.

    Args:
        answers: by method, in place of those of a camera that ends the connection after PLAY.
            What begins with "RAW " is sent as it is, without the line and CSeq before it, and ends
            the connection too.
        host: address to listen on.
    """

    def __init__(
        self, answers: Mapping[str, Answer] | None = None, host: str = "127.0.0.1"
    ) -> None:
        self._answers: dict[str, Answer] = {**_DEFAULTS, **(answers or {})}
        self._socket = socket.create_server((host, 0))
        self.host, self.port = host, int(self._socket.getsockname()[1])
        self.requests: list[str] = []
        self.connections: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        """The URL without user and password."""
        return f"rtsp://{self.host}:{self.port}/cam"

    def __enter__(self) -> ScriptedRtsp:
        return self

    def __exit__(self, *error: object) -> None:
        end_both_ways(self._socket)
        self._socket.close()
        for connection in self.connections:
            end_both_ways(connection)
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections.append(connection)
            self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
            self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            received = b""
            while data := connection.recv(1 << 16):
                received += data
                while b"\r\n\r\n" in received:
                    if received.startswith(b"$"):
                        received = received[4 + int.from_bytes(received[2:4], "big") :]
                        continue
                    head, _, received = received.partition(b"\r\n\r\n")
                    request = head.decode()
                    self.requests.append(request)
                    answer, is_last = self._answer(request)
                    connection.sendall(answer)
                    if is_last:
                        end_both_ways(connection)

    def _answer(self, request: str) -> tuple[bytes, bool]:
        answer = self._answers.get(request.split()[0], b"501 Not Implemented\r\n\r\n")
        answer = answer(request) if callable(answer) else answer
        cseq = next(line for line in request.split("\r\n") if line.startswith("CSeq"))
        if answer.startswith(b"RAW "):
            return answer[4:].replace(b"CSEQ", cseq.encode()), True
        status, _, rest = answer.partition(b"\r\n")
        is_last = request.startswith("PLAY") and status.startswith(b"200")
        return b"RTSP/1.0 " + status + b"\r\n" + cseq.encode() + b"\r\n" + rest, is_last
