"""Serve the state of a live run over HTTP: `/health` as JSON, `/metrics` for Prometheus."""

from __future__ import annotations

import errno
import ipaddress
import json
import logging
import re
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Self

from pipeline.errors import ConfigError, PipelineError
from pipeline.printable import printable
from pipeline.telemetry.snapshots import CameraSnapshot, Snapshot
from pipeline.time_text import format_utc

Health = Literal["ok", "degraded", "stuck"]
Page = tuple[HTTPStatus, bytes, str]  # with its content type

_SILENCE_S = 5.0  # a client that neither sends nor reads for longer is disconnected
_REQUEST_S = 10.0  # longest duration of a request and its answer, however slowly they come
_MAX_CLIENTS = 64  # each has a thread; one more takes the place of the oldest
_POLL_S = 0.2  # between two checks for the end of the server
_TEXT = "text/plain; charset=utf-8"
_INDEX = b"behaviour-stream\n/health   how the run is, as JSON\n/metrics  for Prometheus\n"

log = logging.getLogger(__name__)


class HealthServer:
    """Serve from private threads while its `with` block lasts.

    Args:
        address: `host:port` (`[::1]:port` for IPv6), or a tuple of both; port 0: any free port.
        snapshot: returns the current state; called by the server's threads.
        metrics: returns the text for Prometheus and its content type; called by them too.
        now: Unix seconds.
        hosts: names under which the pages are served, beside addresses, localhost, the host of
            `address` and the name of this machine. Any other one is refused: a web page elsewhere
            could let its own name lead here, and have its visitors read the answers.

    Raises:
        ConfigError: if `address` is malformed; on entering, if its host is unknown.
        PipelineError: on entering, if this machine cannot listen there.
    """

    def __init__(
        self,
        address: str | tuple[str, int],
        snapshot: Callable[[], Snapshot],
        metrics: Callable[[], tuple[bytes, str]],
        now: Callable[[], float] = time.time,
        hosts: Sequence[str] = (),
    ) -> None:
        self._host, self._wanted_port = _split(address) if isinstance(address, str) else address
        self._snapshot, self._metrics, self._now = snapshot, metrics, now
        names = (*hosts, self._host, "localhost", socket.gethostname())
        self._hosts = frozenset(name.lower().removesuffix(".") for name in names)
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port it listens on; inside the `with` block only."""
        assert self._server is not None
        return self._server.server_port

    def __enter__(self) -> Self:
        pages = {
            "/": self._index_page,
            "/health": self._health_page,
            "/metrics": self._metrics_page,
        }
        self._server = _listen(self._host, self._wanted_port, partial(_Handler, pages, self._hosts))
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_POLL_S,), name="health", daemon=True
        )
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        assert self._server is not None
        assert self._thread is not None
        self._server.shutdown()
        self._thread.join()
        self._server.hang_up()
        self._server.server_close()

    def _index_page(self) -> Page:
        return HTTPStatus.OK, _INDEX, _TEXT

    def _health_page(self) -> Page:
        snapshot = self._snapshot()
        stuck = health_of(snapshot) == "stuck"
        text = json.dumps(health_document(snapshot, self._now()), indent=2) + "\n"
        status = HTTPStatus.SERVICE_UNAVAILABLE if stuck else HTTPStatus.OK
        return status, text.encode(), "application/json"

    def _metrics_page(self) -> Page:
        return HTTPStatus.OK, *self._metrics()


def health_of(snapshot: Snapshot) -> Health:
    """Rate a run.

    Returns:
        `stuck` if it must be restarted; `degraded` if a camera is not up, Redis is unavailable, a
        disk takes no events, or a snapshot or clip cannot be written.
    """
    if not snapshot.healthy:
        return "stuck"
    blind = any(camera.state != "up" for camera in snapshot.cameras)
    errors = (snapshot.redis_error, snapshot.disk_error, snapshot.evidence_error)
    has_error = any(error is not None for error in errors)
    return "degraded" if blind or has_error else "ok"


def health_document(snapshot: Snapshot, now: float) -> dict[str, Any]:
    """Return the JSON document of the page `/health`.

    Args:
        snapshot: state of the run.
        now: Unix seconds.
    """
    return {
        "status": health_of(snapshot),
        "stuck": snapshot.stuck,
        "started_at": format_utc(snapshot.started_at),
        "uptime_s": round(now - snapshot.started_at, 1),
        "cameras": {camera.camera_id: _camera_document(camera) for camera in snapshot.cameras},
        "queues": dict(snapshot.queues),
        "dropped_clips": snapshot.dropped_clips,
        "unscored_clips": snapshot.unscored_clips,
        "detect_batch": round(snapshot.detect_batch, 2),
        "recognize_batch": round(snapshot.recognize_batch, 2),
        "latency_s": {
            stage: {"p50": round(p50, 4), "p95": round(p95, 4), "p99": round(p99, 4)}
            for stage, (p50, p95, p99) in snapshot.latency_s.items()
        },
        "events": snapshot.events,
        "outbox": {"waiting": snapshot.outbox_waiting, "redis_trouble": snapshot.redis_error},
        "disk_trouble": snapshot.disk_error,
        "evidence": {
            "trouble": snapshot.evidence_error,
            "written": dict(snapshot.evidence_written),
            "missing": dict(snapshot.evidence_missing),
        },
        "gpu_memory_bytes": snapshot.gpu_memory_bytes,
    }


def _camera_document(camera: CameraSnapshot) -> dict[str, Any]:
    staleness_s = camera.staleness_s
    return {
        "state": camera.state,
        "reason": camera.reason,
        "detail": camera.detail,
        "since": format_utc(camera.since),
        "fps_in": round(camera.fps_in, 2),
        "fps_detected": round(camera.fps_detected, 2),
        "frames_in": camera.frames_in,
        "frames_detected": camera.frames_detected,
        "drops": dict(camera.drops),
        "staleness_s": None if staleness_s is None else round(staleness_s, 3),
        "tracks": camera.tracks,
        "connects": camera.connects,
        "wh": camera.wh,
    }


class _Handler(BaseHTTPRequestHandler):
    """Handle one request; HTTP/1.0, so that no connection outlives its answer."""

    server_version, sys_version = "behaviour-stream", ""
    timeout = _SILENCE_S

    server: _Server

    def __init__(
        self, pages: Mapping[str, Callable[[], Page]], hosts: frozenset[str], *connection: Any
    ) -> None:
        self._pages, self._hosts = pages, hosts
        super().__init__(*connection)  # which serves the request

    def do_GET(self) -> None:
        """Answer with one of the pages."""
        for host in self.headers.get_all("Host", ()):
            if not _is_ours(host, self._hosts):
                name = printable(host, 100)
                text = f"421 {name} is no name of this page: use an address, or live.health_hosts\n"
                self._answer(HTTPStatus.MISDIRECTED_REQUEST, text.encode(), _TEXT)
                return
        page = self._pages.get(self.path.partition("?")[0])
        if page is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        try:
            with self.server.working(self.request):
                status, body, content_type = page()
        except Exception:
            log.exception("the page %s failed", self.path)
            self.send_error(HTTPStatus.INTERNAL_SERVER_ERROR)
            return
        self._answer(status, body, content_type)

    def do_HEAD(self) -> None:
        """Answer with the headers of one of the pages."""
        self.do_GET()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer with one line of text; the base class calls it for malformed requests."""
        if code == HTTPStatus.NOT_IMPLEMENTED:  # of the base class, for a method without a `do_`
            code = HTTPStatus.METHOD_NOT_ALLOWED
        status = HTTPStatus(code)
        self._answer(status, f"{status.value} {status.phrase}\n".encode(), _TEXT)

    def _answer(self, status: HTTPStatus, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET, HEAD")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Log for debugging only: monitors ask every few seconds."""
        log.debug("%s: " + format, self.client_address[0], *arguments)


class _Server(ThreadingHTTPServer):
    """HTTP server that closes its open connections at its end."""

    daemon_threads = True
    allow_reuse_port = False  # a second run must not share the port in silence

    def __init__(self, family: socket.AddressFamily, address: Any, handler: Any) -> None:
        self.address_family = family
        self._open: dict[socket.socket, float] = {}  # oldest first, with its deadline
        self._working: set[socket.socket] = set()  # whose pages are being made
        self._lock = threading.Lock()
        super().__init__(address, handler)

    def server_bind(self) -> None:
        """Bind without the name lookup of the base class, which may block."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Return whether another client may have a thread: one that is too slow gives its own."""
        with self._lock:
            if len(self._open) < _MAX_CLIENTS:
                return True
            slow = next((one for one in self._open if one not in self._working), None)
            if slow is not None:
                self._hang_up_on(slow)
            return slow is not None

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve the request in a thread."""
        with self._lock:
            self._open[request] = time.monotonic() + _REQUEST_S
        super().process_request(request, client_address)

    @contextmanager
    def working(self, request: Any) -> Iterator[None]:
        """Keep the thread of a client, which hanging up would not end, while its page is made."""
        with self._lock:
            self._working.add(request)
        try:
            yield
        finally:
            with self._lock:
                self._working.discard(request)

    def service_actions(self) -> None:
        """Hang up on clients whose time is over; the base class calls it every `_POLL_S`."""
        now = time.monotonic()
        with self._lock:
            late = [request for request, deadline in self._open.items() if now >= deadline]
            for request in late:
                if request not in self._working:
                    self._hang_up_on(request)

    def shutdown_request(self, request: Any) -> None:
        """Close the connection of a served or refused request."""
        with self._lock:
            self._open.pop(request, None)
            super().shutdown_request(request)

    def hang_up(self) -> None:
        """Disconnect the remaining clients, which ends their threads."""
        with self._lock:
            for request in list(self._open):
                self._hang_up_on(request)

    def _hang_up_on(self, request: socket.socket) -> None:
        del self._open[request]
        with suppress(OSError):  # the other end was faster
            request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a client that disconnected before the end of its answer."""
        log.debug("%s: the answer was not taken", client_address[0], exc_info=True)


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise ConfigError(f"live.health: {address!r} is not host:port, such as 127.0.0.1:8080")
    return host, int(port)


def _is_ours(host: str, names: frozenset[str]) -> bool:
    """Return whether a header `Host`, with a port or without, is an address or one of the names."""
    name = re.sub(r":\d*$", "", host.strip()).removeprefix("[").removesuffix("]")
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name.lower().removesuffix(".") in names
    return True


def _listen(host: str, port: int, handler: Callable[..., _Handler]) -> _Server:
    where = f"live.health: cannot listen at {host}:{port}"
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        # A name may have both; most clients of `localhost` try IPv4, not all try IPv6.
        family, *_, address = min(found, key=lambda one: one[0] != socket.AF_INET)
        return _Server(family, address, handler)
    except (socket.gaierror, ValueError) as error:  # the latter: not a name at all, such as `a..b`
        raise ConfigError(f"{where}: no such host ({error}); name this machine's") from error
    except OSError as error:
        # Not necessarily an error in the configuration: the network may not be up yet.
        raise PipelineError(f"{where}: {_advice(error)}") from error


def _advice(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "the port is in use; stop the program that `ss -ltnp` lists, or name another port"
    if error.errno == errno.EADDRNOTAVAIL:
        return "it is no address of this machine; 127.0.0.1 is one, and 0.0.0.0 means all of them"
    if error.errno == errno.EACCES:
        return "ports below 1024 need root; name a higher one"
    return str(error.strerror)
