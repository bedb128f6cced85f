"""An HTTP server on loopback that keeps what it gets and answers as it is told."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Request:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"thanks"


class Receiver:
    """Answers from `answers` first, then with 200."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}/hook"
        self.requests: queue.Queue[Request] = queue.Queue()
        self.answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
        self.connections = 0
        self.may_answer = threading.Event()  # cleared: it hangs
        self.may_answer.set()

    def next(self) -> Request:
        return self.requests.get(timeout=20)


@contextmanager
def http_receiver() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # connections are kept
        disable_nagle_algorithm = True

        def setup(self) -> None:
            receiver.connections += 1
            super().setup()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.requests.put(Request(self.path, dict(self.headers), body))
            receiver.may_answer.wait()
            answer = Answer() if receiver.answers.empty() else receiver.answers.get()
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, format: str, *arguments: object) -> None:
            """Not on the tests' standard error."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True  # kept connections do not hold the end up

        def handle_error(self, request: object, client_address: object) -> None:
            """Who hung up is none of our business."""

    server = Server(("127.0.0.1", 0), Handler)
    receiver = Receiver(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.may_answer.set()
        server.shutdown()
        thread.join()
        server.server_close()
