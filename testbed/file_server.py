"""An HTTP server on loopback that serves files as others do, cuts them, hangs, refuses and lies."""

from __future__ import annotations

import http.server
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

Handler = http.server.BaseHTTPRequestHandler

_FROM = re.compile(r"bytes=(\d+)-")


@contextmanager
def http_server(answer: Callable[[Handler], None]) -> Iterator[str]:
    """Answer every GET with `answer`; yields the server's base URL."""

    class Answering(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, *args: object) -> None:
            """Nothing on the terminal."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def send(handler: Handler, body: bytes, announced: int, **headers: str) -> None:
    """Send a body with another announced length than it may have."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(announced))
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


@dataclass(eq=False)
class ServedFile:
    """One file with a version; connections can be cut after some bytes."""

    content: bytes
    etag: str = '"v1"'  # empty: the server names no version
    cuts: list[int] = field(default_factory=list)  # bytes until each of the next connections ends
    ranges: list[str] = field(default_factory=list)  # what was asked for, "" for everything

    def answer(self, handler: Handler) -> None:
        """Send the file, or what follows the first byte that was asked for."""
        asked = handler.headers.get("Range", "")
        self.ranges.append(asked)
        start = 0
        if asked and handler.headers.get("If-Range") in (None, self.etag):
            found = _FROM.fullmatch(asked)
            assert found is not None
            start = int(found[1])
            if start >= len(self.content):
                handler.send_response(416)
                handler.send_header("Content-Range", f"bytes */{len(self.content)}")
                handler.send_header("Content-Length", "0")
                handler.end_headers()
                return
            handler.send_response(206)
            last = len(self.content) - 1
            handler.send_header("Content-Range", f"bytes {start}-{last}/{len(self.content)}")
        else:
            handler.send_response(200)
        if self.etag:
            handler.send_header("ETag", self.etag)
        handler.send_header("Content-Length", str(len(self.content) - start))
        handler.end_headers()
        end = start + self.cuts.pop(0) if self.cuts else len(self.content)
        handler.wfile.write(self.content[start:end])
