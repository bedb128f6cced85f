"""An HTTP server on loopback that keeps its requests and replies as configured."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Request:
    """A request as it arrived."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    """A reply to send."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"thanks"


class Receiver:
    """What the server received; it sends `replies` first, then status 200."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}/hook"
        self.requests: queue.Queue[Request] = queue.Queue()
        self.replies: queue.SimpleQueue[Reply] = queue.SimpleQueue()
        self.connections = 0
        self.may_reply = threading.Event()  # cleared: it hangs
        self.may_reply.set()

    def next(self) -> Request:
        """Wait for the next request and return it."""
        return self.requests.get(timeout=60)


@contextmanager
def http_receiver() -> Iterator[Receiver]:
    """Run a server in a thread for the duration of the block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # connections are kept
        disable_nagle_algorithm = True

        def setup(self) -> None:
            receiver.connections += 1
            super().setup()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.requests.put(Request(self.path, dict(self.headers), body))
            receiver.may_reply.wait()
            reply = Reply() if receiver.replies.empty() else receiver.replies.get()
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, format: str, *arguments: object) -> None:
            """Keep the tests' standard error clean."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True  # open connections do not delay the end

        def handle_error(self, request: object, client_address: object) -> None:
            """Ignore clients that hang up."""

    server = Server(("127.0.0.1", 0), Handler)
    receiver = Receiver(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.may_reply.set()
        server.shutdown()
        thread.join()
        server.server_close()
